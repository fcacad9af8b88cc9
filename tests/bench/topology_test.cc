#include "bench/load/topology.h"

#include <string>

#include <catch2/catch.hpp>

namespace chainring::load {
namespace {

protocol::ReplyValue parsed(std::string_view text) {
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(text, value).state == protocol::ReplyExtent::State::ready);
  return value;
}

std::string range(int first, int last, std::string_view host, int port) {
  return "*3\r\n:" + std::to_string(first) + "\r\n:" + std::to_string(last) + "\r\n*2\r\n$" +
         std::to_string(host.size()) + "\r\n" + std::string(host) + "\r\n:" + std::to_string(port) + "\r\n";
}

}  // namespace

TEST_CASE("Topology.learn: the first server of a range owns its slots") {
  Topology topology({{"10.0.0.1", 7000}});
  REQUIRE(topology.owner(5) == kNoServer);
  REQUIRE(topology.learn(0, parsed("*2\r\n" + range(0, 9, "10.0.0.2", 7000) + range(10, 10, "", 7001))));
  REQUIRE(topology.address(topology.owner(5)) == Address{"10.0.0.2", 7000});
  REQUIRE(topology.address(topology.owner(10)) == Address{"10.0.0.1", 7001});  // of whoever answered
  REQUIRE(topology.owner(11) == kNoServer);
  REQUIRE(topology.learn(0, parsed("*1\r\n" + range(11, 12, "10.0.0.1", 7000))));
  REQUIRE(topology.owner(11) == 0);
  REQUIRE(topology.address(topology.owner(5)) == Address{"10.0.0.2", 7000});
}

TEST_CASE("Topology.learn: what is no answer changes nothing") {
  Topology topology({{"10.0.0.1", 7000}});
  for (const std::string& text :
       {std::string("-ERR unknown command\r\n"), "*2\r\n" + range(0, 9, "h", 1) + range(9, 16384, "h", 1),
        "*1\r\n" + range(5, 4, "h", 1), "*1\r\n" + range(0, 1, "h", 65536), std::string("*1\r\n*1\r\n:0\r\n")}) {
    CAPTURE(text);
    REQUIRE_FALSE(topology.learn(0, parsed(text)));
    REQUIRE(topology.owner(0) == kNoServer);
  }
}

TEST_CASE("Topology.find: the count of servers is bounded") {
  Topology topology({{"h", 1}});
  for (uint16_t port = 2; port <= kServersMax; ++port) REQUIRE(topology.find({"h", port}) == port - 1);
  REQUIRE(topology.find({"h", 2000}) == kNoServer);
  REQUIRE(topology.find({"h", 5}) == 4);
}

TEST_CASE("parse_redirection: MOVED and ASK, and nothing else") {
  const auto moved = parse_redirection("MOVED 3999 127.0.0.1:6381");
  REQUIRE(moved);
  REQUIRE_FALSE(moved->once);
  REQUIRE(moved->slot == 3999);
  REQUIRE(moved->address == Address{"127.0.0.1", 6381});
  const auto ask = parse_redirection("ASK 0 ::1:6381");
  REQUIRE(ask);
  REQUIRE(ask->once);
  REQUIRE(ask->address == Address{"::1", 6381});
  REQUIRE(parse_redirection("MOVED 1 :6381")->address.host.empty());
  for (const std::string_view text : {"MOVED", "MOVED 3999", "MOVED 16384 h:1", "MOVED x h:1", "MOVED 1 h:0",
                                      "MOVED 1 h:65536", "MOVED 1 h", "CLUSTERDOWN 1 h:1", ""}) {
    CAPTURE(text);
    REQUIRE_FALSE(parse_redirection(text));
  }
}

}  // namespace chainring::load
