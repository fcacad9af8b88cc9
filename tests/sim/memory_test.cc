// Nodes with different maxmemory: what the smallest of them can hold is written, and no more (R11).
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "protocol/resp.h"
#include "tests/sim/hosts.h"
#include "tests/sim/world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::sim;

namespace {

constexpr uint16_t kFirstNodePort = 7401;
constexpr uint16_t kCallerPort = 8000;
constexpr size_t kNodes = 3;
constexpr size_t kTight = 2;  // which of them has less memory than the others
constexpr uint64_t kMemoryMax = 2 << 20;
constexpr size_t kValueBytes = 8 << 10;
constexpr size_t kKeys = 600;  // more than twice what there is room for

std::string key_of(size_t i) { return concat("key", i); }

// Sends one request at a time to whichever node it is for.
class Caller final : public Process {
 public:
  explicit Caller(Transport& transport) : transport_(transport) {}
  void call(uint16_t port, const std::vector<std::string_view>& words) {
    port_ = port;
    request_.clear();
    protocol::append_request(request_, words);
    reply_.reset();
    sent_ = false;
  }
  [[nodiscard]] const std::optional<protocol::ReplyValue>& reply() const { return reply_; }

  Status start(Now) override { return {}; }
  void turn(Now, std::span<const NetEvent> events) override {
    for (const NetEvent& event : events) {
      if (event.kind == NetEvent::Kind::connected) up_.insert(event.conn);
    }
    if (request_.empty()) return;
    if (!links_.contains(port_)) links_[port_] = transport_.connect({"127.0.0.1", port_});
    const ConnId conn = links_[port_];
    if (!up_.contains(conn)) return;
    if (!std::exchange(sent_, true)) *transport_.output(conn) += request_;
    protocol::ReplyValue value;
    const protocol::ReplyExtent extent = protocol::parse_reply(transport_.input(conn), value);
    if (extent.state != protocol::ReplyExtent::State::ready) return;
    transport_.consume(conn, extent.size);
    request_.clear();
    reply_ = value;
  }
  Micros next_wake() const override { return kNever; }
  void request_stop(Now) override {}
  bool finished() const override { return false; }
  Status outcome() const override { return {}; }

 private:
  Transport& transport_;
  std::map<uint16_t, ConnId> links_;
  std::set<ConnId> up_;
  uint16_t port_ = 0;
  std::string request_;
  bool sent_ = false;
  std::optional<protocol::ReplyValue> reply_;
};

// Three nodes, each of which holds all slots and heads a third of them.
class Memory {
 public:
  Memory() {
    caller_ = world_.add_host(
        "caller", kCallerPort, [](Transport& transport, Random&, Log&) { return std::make_unique<Caller>(transport); },
        0);
    for (const HostId host : hosts_.coordinators()) world_.start(host);
    for (const HostId host : hosts_.nodes()) world_.start(host);
    world_.start(caller_);
    run_for(3 * kMicrosPerSecond);
    REQUIRE(ask(kTight, {"CONFIG", "SET", "maxmemory", concat(kMemoryMax)}).text == "OK");
  }
  void run_for(Micros length) { world_.run_until(world_.now() + length); }

  protocol::ReplyValue ask(size_t node, const std::vector<std::string>& words) {
    auto& caller = static_cast<Caller&>(*world_.process(caller_));
    caller.call(static_cast<uint16_t>(kFirstNodePort + node), {words.begin(), words.end()});
    world_.wake(caller_);
    for (int waits = 0; waits < 1000 && !caller.reply(); ++waits) run_for(kMicrosPerMilli);
    REQUIRE(caller.reply());
    return *caller.reply();
  }
  // What the head of the key's slot answers.
  protocol::ReplyValue ask_head(const std::vector<std::string>& words) {
    for (size_t node = 0; node < kNodes; ++node) {
      protocol::ReplyValue reply = ask(node, words);
      if (reply.kind == protocol::ReplyValue::Kind::error && reply.text.starts_with("MOVED ")) continue;
      ++answered_by_[node];
      return reply;
    }
    FAIL("nobody heads the slot");
    return {};
  }
  // Whether there was room for it.
  bool write(size_t key) {
    const protocol::ReplyValue reply = ask_head({"SET", key_of(key), std::string(kValueBytes, 'x')});
    if (reply.kind != protocol::ReplyValue::Kind::error) return true;
    REQUIRE(reply.text.starts_with("OOM "));
    return false;
  }
  // How many of the keys were written.
  size_t write_all() {
    size_t written = 0;
    for (size_t i = 0; i < kKeys; ++i) {
      written += write(i) ? 1 : 0;
      most_used_ = std::max(most_used_, used(kTight));
    }
    return written;
  }
  [[nodiscard]] uint64_t used(size_t node) const { return hosts_.node(hosts_.nodes()[node])->store().memory_bytes(); }
  [[nodiscard]] uint64_t most_used() const { return most_used_; }  // by the one that has less
  [[nodiscard]] size_t answered_by(size_t node) const { return answered_by_[node]; }

 private:
  World world_{1, false};
  Notebook notebook_;
  Micros world_time_ = 0;
  Hosts hosts_{world_,
               {.nodes = kNodes, .founders = kNodes, .coordinators = 1, .routers = 0, .clients = 0, .node_clients = 0},
               notebook_,
               world_time_};
  HostId caller_ = 0;
  uint64_t most_used_ = 0;
  size_t answered_by_[kNodes] = {};
};

}  // namespace

TEST_CASE("World: no chain outgrows its smallest member, whose memory is there again when keys are gone (R11)") {
  Memory memory;
  const size_t written = memory.write_all();
  CHECK(written > kMemoryMax / kValueBytes * 3 / 4);
  CHECK(written < kMemoryMax / kValueBytes);
  for (size_t node = 0; node < kNodes; ++node) CHECK(memory.answered_by(node) > kKeys / 10);
  CHECK(memory.most_used() > kMemoryMax * 9 / 10);
  CHECK(memory.most_used() <= kMemoryMax + 2 * kValueBytes);

  for (size_t i = 0; i < kKeys / 10; ++i) memory.ask_head({"DEL", key_of(i)});
  memory.run_for(kMicrosPerSecond);
  CHECK(memory.write(0));
  CHECK(memory.write(1));

  for (size_t node = 0; node < kNodes; ++node) CHECK(memory.ask(node, {"FLUSHALL"}).text == "OK");
  memory.run_for(kMicrosPerSecond);
  CHECK(memory.used(kTight) < kMemoryMax / 2);
  CHECK(memory.write_all() > kMemoryMax / kValueBytes * 3 / 4);
  CHECK(memory.most_used() <= kMemoryMax + 2 * kValueBytes);
}
