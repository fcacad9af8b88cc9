#include <sys/resource.h>

#include <list>

#include "io/socket.h"
#include "tests/io/support.h"

namespace chainring::io {
namespace {

// A port on which nobody listens: it was ours a moment ago.
uint16_t free_port() {
  const Result<Listener> listener = open_listener({"127.0.0.1", 0});
  REQUIRE(listener.ok());
  return listener->port;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// Lowers the number of files that may be open, and puts it back.
class FileLimit {
 public:
  explicit FileLimit(rlim_t files) {
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const rlimit lower{files, before_.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
  }
  ~FileLimit() { restore(); }
  void restore() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("Network.connect: two ends in one process hear of each other, and output may come before the connection") {
  World world;
  const uint16_t port = world.listen();
  const ConnId dialled = world.net().connect({"127.0.0.1", port});
  world.net().output(dialled)->append("early");
  REQUIRE(world.until([&] {
    return world.process.counts[NetEvent::Kind::connected] == 1 && world.process.accepted.size() == 1 &&
           world.net().input(world.process.accepted[0]) == "early";
  }));
  CHECK(world.net().peer_name(dialled) == "127.0.0.1:" + std::to_string(port));
  CHECK(dialled != world.process.accepted[0]);
}

TEST_CASE("Network.connect: a name that the system knows is resolved") {
  World world;
  const uint16_t port = world.listen();
  world.net().connect({"localhost", port});
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::connected] == 1; }));
}

TEST_CASE("Network.connect: refused, or a host that is not there, comes as `closed`") {
  World world;
  const ConnId refused = world.net().connect({"127.0.0.1", free_port()});
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::closed] == 1; }));
  CHECK(world.net().output(refused) == nullptr);
  const ConnId unknown = world.net().connect({"no such host", 1});
  CHECK(unknown != refused);
  REQUIRE(world.until([&] { return world.process.counts[NetEvent::Kind::closed] == 2; }));
  CHECK(world.process.counts[NetEvent::Kind::connected] == 0);
}

TEST_CASE("Network.connect: close() before it is made leaves nothing behind") {
  World world;
  const uint16_t port = world.listen();
  const ConnId conn = world.net().connect({"127.0.0.1", port});
  world.net().close(conn);
  world.net().close(world.net().connect({"no such host", 1}));
  CHECK(world.net().has_events());  // the failure was noticed before the close
  for (int i = 0; i < 5; ++i) world.loop.turn(world.process, kMicrosPerMilli);
  CHECK(world.process.counts[NetEvent::Kind::connected] == 0);
}

TEST_CASE("Network.listen: a port in use is named, with what to do") {
  World world;
  const uint16_t port = world.listen();
  const Result<uint16_t> again = world.net().listen({"127.0.0.1", port});
  REQUIRE_FALSE(again.ok());
  CHECK(again.status().code() == ErrorCode::already_exists);
  CHECK(contains(again.status().message(), "cannot listen on 127.0.0.1:" + std::to_string(port)));
  CHECK(contains(again.status().message(), "in use by another process"));
  CHECK(contains(again.status().message(), "choose another port"));
}

TEST_CASE("Network.listen: an address of another machine, and a name that nobody knows, are refused") {
  World world;
  const Result<uint16_t> foreign = world.net().listen({"192.0.2.1", 0});  // of TEST-NET-1
  REQUIRE_FALSE(foreign.ok());
  CHECK(contains(foreign.status().message(), "this machine has no such address"));
  const Result<uint16_t> unknown = world.net().listen({"no such host", 0});
  REQUIRE_FALSE(unknown.ok());
  CHECK(contains(unknown.status().message(), "cannot find the host 'no such host'"));
}

TEST_CASE("Network: without file descriptors accepting pauses, says so once, and goes on") {
  World world;
  const uint16_t port = world.listen();
  std::list<Client> clients;
  for (int i = 0; i < 3; ++i) clients.emplace_back(port);  // the kernel holds them until they are accepted
  const int highest = ::dup(0);
  REQUIRE(highest >= 0);
  ::close(highest);
  FileLimit limit(static_cast<rlim_t>(highest) + 1);  // room for one more
  REQUIRE(world.until([&] { return world.net().next_deadline() != kNever; }));
  CHECK(world.process.accepted.size() == 1);
  int turns = 0;
  REQUIRE(world.until([&] { return ++turns, read_mono() > world.net().next_deadline() - 20 * kMicrosPerMilli; }));
  CHECK(turns < 100);  // each waits 2 ms: nothing spins meanwhile
  limit.restore();
  REQUIRE(world.until([&] { return world.process.accepted.size() == 3; }));
  REQUIRE(world.log.lines.size() == 1);
  CHECK(contains(world.log.lines[0], "raise the limit of open files"));
}

}  // namespace chainring::io
