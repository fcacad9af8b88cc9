#include "node/door.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::node;

namespace {

ParkedRequest request_of(session::ClientId client, Micros deadline, size_t bytes = 10) {
  ParkedRequest made;
  made.ticket = {client, 0};
  made.deadline = deadline;
  made.bytes.assign(bytes, 'x');
  return made;
}

std::vector<session::ClientId> clients_of(const std::vector<ParkedRequest>& requests) {
  std::vector<session::ClientId> clients;
  for (const ParkedRequest& request : requests) clients.push_back(request.ticket.client);
  return clients;
}

}  // namespace

TEST_CASE("ParkedRequests: are taken in the order in which they came") {
  ParkedRequests parked;
  for (session::ClientId client = 1; client <= 4; ++client) {
    REQUIRE(parked.park(request_of(client, static_cast<Micros>(client) * 10)));
  }
  CHECK(parked.next_deadline() == 10);
  parked.forget(3);
  const auto even = parked.take([](const ParkedRequest& request) { return request.ticket.client % 2 == 0; });
  CHECK(clients_of(even) == std::vector<session::ClientId>{2, 4});
  CHECK(parked.count() == 1);
  CHECK(clients_of(parked.take([](const ParkedRequest&) { return true; })) == std::vector<session::ClientId>{1});
  CHECK(parked.next_deadline() == kNever);
}

TEST_CASE("ParkedRequests: what is beyond the bound is not taken, until others have gone (R11)") {
  ParkedRequests parked;
  REQUIRE(parked.park(request_of(1, 10, ParkedRequests::kBytesMax / 2)));
  CHECK_FALSE(parked.park(request_of(2, 10, ParkedRequests::kBytesMax / 2)));
  CHECK(parked.count() == 1);
  REQUIRE(parked.park(request_of(3, 10)));
  parked.forget(1);
  CHECK(parked.park(request_of(2, 10, ParkedRequests::kBytesMax / 2)));
}

TEST_CASE("ParkedRequests: one that is parked again goes before those that came later") {
  ParkedRequests parked;
  REQUIRE(parked.park(request_of(2, 20)));
  REQUIRE(parked.park(request_of(1, 10)));
  CHECK(parked.next_deadline() == 10);
  CHECK(clients_of(parked.take([](const ParkedRequest&) { return true; })) == std::vector<session::ClientId>{1, 2});
}
