#include "bench/load/load.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/text.h"
#include "protocol/slot.h"
#include "tests/support/fake_transport.h"

#include <catch2/catch.hpp>

namespace chainring::load {
namespace {

using test::FakeTransport;

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

// Servers as maps, played by the test: what they are told comes from the load's connections.
struct Servers {
  std::map<std::string, std::string> data;
  std::optional<std::string> says;  // instead of executing anything
  bool silent = false;              // reads, and answers nothing
  std::vector<std::string> log;     // "port COMMAND key"
  std::string slots = "*0\r\n";

  std::string execute(uint16_t port, std::span<const std::string_view> args) {
    std::string line = concat(port, ' ', args[0]);
    if (args.size() > 1) append_text(line, ' ', args[1]);
    log.push_back(line);
    if (silent) return {};
    if (args[0] == "CLUSTER") return slots;
    if (args[0] == "AUTH" || args[0] == "ASKING") return "+OK\r\n";
    if (says) return *says;
    const std::string key(args[1]);
    if (args[0] == "SET") {
      data[key] = args[2];
      return "+OK\r\n";
    }
    const auto at = data.find(key);
    return at == data.end() ? "$-1\r\n" : concat('$', at->second.size(), "\r\n", at->second, "\r\n");
  }
};

struct Scene {
  explicit Scene(LoadOptions wanted = {}) : options(std::move(wanted)) {
    if (options.operations.servers.empty()) options.operations.servers = {{"s", 1}};
    load.emplace(options, transport, random, log);
    REQUIRE(load->start({now, 0}).ok());
    control = transport.accept();
    turn();
  }

  void turn(Micros passes = 0) {
    now += passes;
    const std::vector<NetEvent> events = transport.take_events();
    load->turn({now, 0}, events);
  }

  // Servers take connections and answer; returns whether anything happened.
  bool serve() {
    bool any = false;
    for (const FakeTransport::Dial& dial : std::vector(transport.dials())) {
      if (transport.state(dial.conn) == FakeTransport::State::dialling) {
        transport.establish(dial.conn);
        any = true;
      }
      if (transport.state(dial.conn) != FakeTransport::State::open) continue;
      unread[dial.conn] += transport.take_output(dial.conn);
      protocol::RequestParser parser;
      while (parser.parse(unread[dial.conn]) == protocol::RequestParser::State::ready) {
        const std::string answer = servers.execute(dial.address.port, parser.args());
        unread[dial.conn].erase(0, parser.size());
        parser.next();
        if (!answer.empty()) transport.receive(dial.conn, answer);
        any = true;
      }
    }
    return any;
  }

  void run_for(Micros time) {
    for (const Micros end = now + time; now < end;) {
      turn(kMicrosPerMilli);
      for (int i = 0; i < 4 && serve(); ++i) turn();  // who always has something to send comes to no end
    }
  }

  void tell(std::vector<std::string_view> words) {
    std::string request;
    protocol::append_request(request, words);
    transport.receive(control, request);
    turn();
  }
  std::string heard() { return transport.take_output(control); }
  // The answer to a command that ends soon.
  std::string ask(const std::vector<std::string_view>& words) {
    tell(words);
    run_for(kMicrosPerSecond);
    return heard();
  }

  LoadOptions options;
  FakeTransport transport;
  SeededRandom random{5};
  SilentLog log;
  Servers servers;
  std::map<ConnId, std::string> unread;
  std::optional<Load> load;
  ConnId control = kNoConn;
  Micros now = kMicrosPerSecond;
};

LoadOptions few_keys(uint32_t keys, uint32_t read_percent = 0) {
  LoadOptions options;
  options.keys = keys;
  options.read_percent = read_percent;
  return options;
}

LoadOptions of_cluster(uint32_t keys) {
  LoadOptions options = few_keys(keys);
  options.operations.cluster = true;
  return options;
}

bool holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// CLUSTER SLOTS of one server that has all.
std::string all_slots_at(uint16_t port) {
  return concat("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\ns\r\n:", port, "\r\n");
}

}  // namespace

TEST_CASE("Load.check: a key that vanished is lost, and so is one that is older than acknowledged") {
  Scene scene(few_keys(10));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(scene.servers.data.size() == 10);
  const std::map<std::string, std::string> first = scene.servers.data;
  REQUIRE(holds(scene.ask({"CHECK"}), R"("checked":10,"lost":0,"late":0,"strange":0)"));

  REQUIRE(holds(scene.ask({"RUN", "1000", "0"}), "OK"));
  REQUIRE(holds(scene.ask({"STOP"}), "OK"));
  REQUIRE(scene.servers.data.at("load:3") != first.at("load:3"));
  scene.servers.data["load:3"] = first.at("load:3");
  scene.servers.data.erase("load:7");
  const std::string answer = scene.ask({"CHECK"});
  REQUIRE(holds(answer, R"("lost":2,"late":0,"strange":0)"));
  REQUIRE(holds(answer, "load:7"));
  REQUIRE(holds(scene.ask({"CHECK"}), R"("lost":0)"));
}

TEST_CASE("Load.run: reads of what is older than acknowledged are counted") {
  Scene scene(few_keys(1, 100));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  REQUIRE(holds(scene.ask({"RUN", "0", "1"}), "OK"));
  REQUIRE(holds(scene.ask({"REPORT", "all", "0-16383"}), R"("older":0)"));
  scene.servers.data.clear();
  scene.run_for(10 * kMicrosPerMilli);
  REQUIRE_FALSE(holds(scene.ask({"REPORT", "all", "0-16383"}), R"("older":0)"));
}

TEST_CASE("Load.run: a rate is kept, and what is due while nothing answers waits from then on") {
  Scene scene(few_keys(1000));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  scene.tell({"RUN", "500", "0"});
  scene.run_for(2 * kMicrosPerSecond);
  REQUIRE(holds(scene.heard(), "OK"));
  REQUIRE(holds(scene.ask({"REPORT", "all", "0-16383"}), R"("writes":1000)"));

  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  for (int i = 0; i < 200; ++i) scene.turn(kMicrosPerMilli);  // nobody serves
  scene.run_for(10 * kMicrosPerMilli);
  scene.tell({"REPORT", "all", "0-16383"});
  const std::string report = scene.heard();
  CAPTURE(report);
  REQUIRE(holds(report, R"("gap":201000)"));
  REQUIRE(holds(report, R"("longest":199000)"));
  REQUIRE(holds(report, R"("failed":0)"));
}

TEST_CASE("Load.run: an attempt without an answer in time is made again on a new connection, and counts as an error") {
  Scene scene(few_keys(1));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  const size_t dials = scene.transport.dials().size();
  scene.servers.silent = true;
  scene.tell({"RUN", "0", "1"});
  scene.run_for(300 * kMicrosPerMilli);
  scene.servers.silent = false;
  scene.run_for(300 * kMicrosPerMilli);
  (void)scene.heard();
  scene.tell({"REPORT", "all", "0-16383"});
  const std::string report = scene.heard();
  REQUIRE(holds(report, R"("failed":1)"));
  REQUIRE(holds(report, R"("no answer in time":)"));
  REQUIRE(scene.transport.dials().size() > dials);
  REQUIRE(holds(scene.ask({"STOP"}), "OK"));
  REQUIRE(holds(scene.ask({"CHECK"}), R"("lost":0,"late":0)"));

  // The attempt that was given up arrives after all.
  scene.servers.data["load:0"] = Ledger("load", 1, scene.options.value_bytes).value(0, 2);
  REQUIRE(holds(scene.ask({"CHECK"}), R"("lost":0,"late":1)"));
}

TEST_CASE("Load.run: a late turn of the client itself counts as waiting") {
  Scene scene(few_keys(1000));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  REQUIRE(holds(scene.ask({"RUN", "500", "0"}), "OK"));
  scene.turn(300 * kMicrosPerMilli);
  scene.run_for(10 * kMicrosPerMilli);
  scene.tell({"REPORT", "all", "0-16383"});
  const std::string report = scene.heard();
  CAPTURE(report);
  REQUIRE(holds(report, R"("longest":299)"));
}

TEST_CASE("Load.run: with a cluster it asks for the slots first, and follows MOVED for good and ASK once") {
  LoadOptions options = of_cluster(1);
  options.operations.servers = {{"s", 1}, {"s", 2}};
  Scene scene(options);
  scene.servers.slots = all_slots_at(1);
  const std::string slot = concat(protocol::slot_of("load:0"));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(scene.servers.log.back() == "1 SET load:0");

  scene.servers.says = concat("-ASK ", slot, " s:2\r\n");
  scene.tell({"FILL"});
  scene.serve();
  scene.turn();
  scene.servers.says.reset();
  scene.run_for(kMicrosPerMilli);
  REQUIRE(holds(scene.heard(), "OK"));
  REQUIRE(scene.servers.log[scene.servers.log.size() - 2] == "2 ASKING");
  REQUIRE(scene.servers.log.back() == "2 SET load:0");
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(scene.servers.log.back() == "1 SET load:0");

  scene.servers.slots = all_slots_at(2);
  scene.servers.says = concat("-MOVED ", slot, " s:2\r\n");
  scene.tell({"FILL"});
  scene.serve();
  scene.turn();
  scene.servers.says.reset();
  REQUIRE(holds(scene.ask({"WATCH"}), "OK"));
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(scene.servers.log.back() == "2 SET load:0");
  REQUIRE(holds(scene.ask({"REPORT", "all", "0-16383"}), R"("failed":0)"));
}

TEST_CASE("Load.run: a server that refuses connections is left for whoever has its slots now") {
  LoadOptions options = of_cluster(1);
  options.operations.servers = {{"s", 1}, {"s", 2}};
  Scene scene(options);
  scene.servers.slots = all_slots_at(1);
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  for (const FakeTransport::Dial& dial : std::vector(scene.transport.dials())) {
    if (dial.address.port == 1) scene.transport.disconnect(dial.conn);
  }
  scene.servers.slots = all_slots_at(2);
  scene.servers.log.clear();
  REQUIRE(holds(scene.ask({"FILL"}), "OK"));
  REQUIRE(std::count(scene.servers.log.begin(), scene.servers.log.end(), "2 SET load:0") == 1);
}

TEST_CASE("Load.command: what it does not understand, and what would mix with what runs, is refused") {
  Scene scene(few_keys(10));
  for (const std::vector<std::string_view>& words : {std::vector<std::string_view>{"NONSENSE"},
                                                     {"RUN", "1"},
                                                     {"RUN", "-1", "0"},
                                                     {"RUN", "0", "100001"},
                                                     {"QUIET", "0-16384"},
                                                     {"REPORT", "x"},
                                                     {"REPORT", "x", "5-4"}}) {
    CAPTURE(words[0], words.size());
    REQUIRE(holds(scene.ask(words), "-ERR"));
  }
  scene.servers.silent = true;
  REQUIRE(holds(scene.ask({"RUN", "0", "5"}), "OK"));
  REQUIRE(holds(scene.ask({"CHECK"}), "STOP first"));
}

}  // namespace chainring::load
