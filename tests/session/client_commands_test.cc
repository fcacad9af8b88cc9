// CLIENT and its subcommands.
#include <string>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/session/rig.h"

#include <catch2/catch.hpp>

namespace chainring::session {
namespace {

constexpr std::string_view kOk = "+OK\r\n";
constexpr std::string_view kSyntax = "-ERR syntax error\r\n";

std::string text_of(const std::string& reply) {
  protocol::ReplyValue value;
  REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
  return value.text;
}

}  // namespace

TEST_CASE("CLIENT ID, SETNAME, GETNAME, SETINFO") {
  Rig rig;
  const ConnId first = rig.connect();
  const ConnId second = rig.connect();
  CHECK(rig.ask(first, "CLIENT ID") == ":1\r\n");
  CHECK(rig.ask(second, "CLIENT ID") == ":2\r\n");
  CHECK(rig.ask(first, "CLIENT GETNAME") == "$-1\r\n");
  CHECK(rig.ask(first, "CLIENT SETNAME worker-1") == kOk);
  CHECK(rig.ask(first, "CLIENT GETNAME") == bulk("worker-1"));
  CHECK(rig.send(first, request({"CLIENT", "SETNAME", "a b"})) ==
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  CHECK(rig.ask(first, concat("CLIENT SETNAME ", std::string(1025, 'n'))) ==
        "-ERR Client names cannot be longer than 1024 bytes.\r\n");
  CHECK(rig.ask(first, "CLIENT GETNAME") == bulk("worker-1"));
  CHECK(rig.send(first, request({"CLIENT", "SETNAME", ""})) == kOk);
  CHECK(rig.ask(first, "CLIENT GETNAME") == "$-1\r\n");
  CHECK(rig.ask(first, "CLIENT SETINFO LIB-NAME redis-py") == kOk);
  CHECK(rig.ask(first, "CLIENT SETINFO lib-ver 5.0.1") == kOk);
  CHECK(rig.ask(first, "CLIENT SETINFO lib-foo x") == "-ERR Unrecognized option 'lib-foo'\r\n");
  CHECK(rig.send(first, request({"CLIENT", "SETINFO", "LIB-NAME", "a b"})) ==
        "-ERR LIB-NAME cannot contain spaces, newlines or special characters.\r\n");
}

TEST_CASE("CLIENT INFO: every field of Redis 7.2 and `watch`, with what is true here") {
  Rig rig;
  rig.clients.set_port(7379);
  const ConnId conn = rig.connect();
  rig.ask(conn, "CLIENT SETNAME me");
  rig.ask(conn, "CLIENT SETINFO LIB-NAME redis-py");
  rig.ask(conn, "CLIENT SETINFO LIB-VER 5.0.1");
  rig.ask(conn, "SELECT 2");
  rig.pass(3 * kMicrosPerSecond);
  const std::string asked = request("CLIENT INFO");
  const std::string line = text_of(rig.send(conn, asked));
  const std::string total = line.substr(line.find("tot-mem="), line.find(" events=") - line.find("tot-mem="));
  CHECK(line == concat("id=1 addr=127.0.0.1:50001 laddr=127.0.0.1:7379 fd=-1 name=me age=3 idle=0 flags=N db=2 sub=0 "
                       "psub=0 ssub=0 multi=-1 watch=0 qbuf=",
                       asked.size(),
                       " qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 "
                       "oll=0 omem=0 ",
                       total,
                       " events=r cmd=client|info user=default redir=-1 resp=2 "
                       "lib-name=redis-py lib-ver=5.0.1\n"));
}

TEST_CASE("CLIENT LIST: all, by type, by id") {
  Rig rig;
  const ConnId first = rig.connect();
  rig.connect();
  rig.connect();
  const auto ids = [&](std::string_view words) {
    std::string found;
    const std::string text = text_of(rig.ask(first, words));
    for (size_t at = 0; (at = text.find("id=", at)) != std::string::npos && at < text.size();) {
      if (at == 0 || text[at - 1] == '\n') found += text.substr(at + 3, text.find(' ', at) - at - 3) + ' ';
      ++at;
    }
    return found;
  };
  CHECK(ids("CLIENT LIST") == "1 2 3 ");
  CHECK(ids("CLIENT LIST TYPE normal") == "1 2 3 ");
  CHECK(ids("CLIENT LIST TYPE pubsub") == "");
  CHECK(ids("CLIENT LIST ID 3 1 99") == "3 1 ");
  CHECK(rig.ask(first, "CLIENT LIST TYPE foo") == "-ERR Unknown client type 'foo'\r\n");
  CHECK(rig.ask(first, "CLIENT LIST ID x") == "-ERR Invalid client ID\r\n");
  CHECK(rig.ask(first, "CLIENT LIST ID") == kSyntax);
  CHECK(rig.ask(first, "CLIENT LIST FOO") == kSyntax);
}

TEST_CASE("CLIENT LIST: shows replies that wait") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId admin = rig.connect();
  const ConnId conn = rig.connect();
  rig.send(conn, request("GET a") + request("GET b"));
  rig.clients.complete(rig.backend.seen.at(1).ticket, bulk("bbb"));
  const std::string text = text_of(rig.ask(admin, "CLIENT LIST ID 2"));
  CHECK(text.find(concat(" oll=2 omem=", bulk("bbb").size(), " ")) != std::string::npos);
  CHECK(text.find(" cmd=get ") != std::string::npos);
}

TEST_CASE("CLIENT KILL: the old form, by address, kills whoever it is") {
  Rig rig;
  const ConnId admin = rig.connect();
  const ConnId other = rig.connect();
  CHECK(rig.ask(admin, "CLIENT KILL 1.2.3.4:5") == "-ERR No such client\r\n");
  CHECK(rig.ask(admin, concat("CLIENT KILL ", rig.transport.peer_name(other))) == kOk);
  CHECK_FALSE(rig.open(other));
  CHECK(rig.backend.gone == std::vector<ClientId>{2});
  CHECK(rig.ask(admin, concat("CLIENT KILL ", rig.transport.peer_name(admin))) == kOk);
  CHECK_FALSE(rig.open(admin));
}

TEST_CASE("CLIENT KILL: by filters, all of which must fit") {
  Rig rig;
  rig.clients.set_port(7379);
  const ConnId admin = rig.connect();
  const ConnId second = rig.connect();
  const ConnId third = rig.connect();
  CHECK(rig.ask(admin, "CLIENT KILL ID 99") == ":0\r\n");
  CHECK(rig.ask(admin, "CLIENT KILL ID 2 ADDR 9.9.9.9:9") == ":0\r\n");
  CHECK(rig.ask(admin, "CLIENT KILL ID 2 TYPE pubsub") == ":0\r\n");
  CHECK(rig.ask(admin, "CLIENT KILL ID 2 LADDR 127.0.0.1:1") == ":0\r\n");
  CHECK(rig.open(second));
  CHECK(rig.ask(admin, "CLIENT KILL ID 2 TYPE normal LADDR 127.0.0.1:7379 USER default") == ":1\r\n");
  CHECK_FALSE(rig.open(second));
  CHECK(rig.ask(admin, "CLIENT KILL TYPE normal") == ":1\r\n");  // all but oneself
  CHECK_FALSE(rig.open(third));
  CHECK(rig.open(admin));
  CHECK(rig.ask(admin, "CLIENT KILL ID 1") == ":0\r\n");
  CHECK(rig.ask(admin, "CLIENT KILL ID 1 SKIPME no") == ":1\r\n");
  CHECK_FALSE(rig.open(admin));
}

TEST_CASE("CLIENT KILL: errors") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CLIENT KILL ID 0") == "-ERR client-id should be greater than 0\r\n");
  CHECK(rig.ask(conn, "CLIENT KILL ID x") == "-ERR client-id should be greater than 0\r\n");
  CHECK(rig.ask(conn, "CLIENT KILL TYPE foo") == "-ERR Unknown client type 'foo'\r\n");
  CHECK(rig.ask(conn, "CLIENT KILL USER foo") == "-ERR No such user 'foo'\r\n");
  CHECK(rig.ask(conn, "CLIENT KILL FOO BAR") == kSyntax);
  CHECK(rig.ask(conn, "CLIENT KILL ID 1 SKIPME") == kSyntax);
  CHECK(rig.ask(conn, "CLIENT KILL ID 1 SKIPME maybe") == kSyntax);
  CHECK(rig.open(conn));
}

TEST_CASE("CLIENT KILL: requests of the victim that are under way are dropped") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId admin = rig.connect();
  const ConnId victim = rig.connect();
  rig.ask(victim, "GET a");
  CHECK(rig.ask(admin, "CLIENT KILL ID 2") == ":1\r\n");
  rig.clients.complete(rig.backend.seen.at(0).ticket, "$-1\r\n");
  CHECK_FALSE(rig.open(victim));
  CHECK(rig.clients.count() == 1);
}

TEST_CASE("CLIENT REPLY: OFF, ON and SKIP, as Redis orders them") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CLIENT REPLY foo") == kSyntax);
  CHECK(rig.send(conn, request("CLIENT REPLY SKIP") + request("GET a") + request("GET b")) == bulk("b"));
  CHECK(rig.send(conn, request("CLIENT REPLY SKIP") + request("CLIENT REPLY SKIP") + request("PING") +
                           request("PING x")) == bulk("x"));
  CHECK(rig.send(conn, request("CLIENT REPLY SKIP") + request("CLIENT REPLY ON")) == kOk);
  CHECK(rig.send(conn, request("CLIENT REPLY OFF") + request("GET a") + request("FOO") + request("PING") +
                           request("CLIENT REPLY SKIP"))
            .empty());
  CHECK(rig.send(conn, request("CLIENT REPLY ON") + request("GET c")) == concat(kOk, bulk("c")));
}

TEST_CASE("CLIENT REPLY: a reply that was asked for before OFF still comes, one asked for after it never") {
  Rig rig;
  rig.backend.at_once = false;
  const ConnId conn = rig.connect();
  rig.send(conn, request("GET a") + request("CLIENT REPLY OFF") + request("GET b") + request("CLIENT REPLY ON"));
  rig.clients.complete(rig.backend.seen.at(1).ticket, bulk("b"));
  rig.clients.complete(rig.backend.seen.at(0).ticket, bulk("a"));
  CHECK(rig.transport.take_output(conn) == concat(bulk("a"), kOk));
}

TEST_CASE("CLIENT PAUSE, UNBLOCK, NO-EVICT, NO-TOUCH, GETREDIR, TRACKINGINFO") {
  Rig rig;
  const ConnId conn = rig.connect();
  CHECK(rig.ask(conn, "CLIENT PAUSE x") == "-ERR timeout is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "CLIENT PAUSE 9223372036854775807") == "-ERR timeout is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "CLIENT PAUSE -1") == "-ERR timeout is negative\r\n");
  CHECK(rig.ask(conn, "CLIENT PAUSE 1 FOO") == "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
  CHECK(rig.ask(conn, "CLIENT UNBLOCK 77") == ":0\r\n");
  CHECK(rig.ask(conn, "CLIENT UNBLOCK 77 ERROR") == ":0\r\n");
  CHECK(rig.ask(conn, "CLIENT UNBLOCK 1 foo") == "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
  CHECK(rig.ask(conn, "CLIENT UNBLOCK x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(rig.ask(conn, "CLIENT NO-EVICT on") == kOk);
  CHECK(rig.ask(conn, "CLIENT NO-TOUCH on") == kOk);
  CHECK(text_of(rig.ask(conn, "CLIENT INFO")).find(" flags=eT ") != std::string::npos);
  CHECK(rig.ask(conn, "CLIENT NO-EVICT maybe") == kSyntax);
  CHECK(rig.ask(conn, "CLIENT NO-TOUCH maybe") == kSyntax);
  CHECK(rig.ask(conn, "CLIENT GETREDIR") == ":-1\r\n");
  CHECK(rig.ask(conn, "CLIENT TRACKINGINFO") == concat("*6\r\n", bulk("flags"), "*1\r\n", bulk("off"), bulk("redirect"),
                                                       ":-1\r\n", bulk("prefixes"), "*0\r\n"));
}

TEST_CASE("CLIENT HELP: lists what there is") {
  Rig rig;
  const std::string reply = rig.ask(rig.connect(), "CLIENT HELP");
  CHECK(reply.find("SETNAME") != std::string::npos);
  CHECK(reply.find("TRACKING ") == std::string::npos);
}

}  // namespace chainring::session
