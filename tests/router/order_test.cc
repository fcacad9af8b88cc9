// Pipelined clients against nodes that stop, hand over, hold replies and lose their links, all at random from one seed:
// every write takes effect once, in its client's order, and its client learns what became of it; no read sees less than
// what its client has written and read before it, nor anything of what its client writes behind it (R10, R20).
#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/text.h"
#include "protocol/reply.h"
#include "protocol/resp.h"
#include "tests/router/rig.h"

#include <rapidcheck.h>
#include <rapidcheck/catch.h>
#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::router {
namespace {

using protocol::ReplyStatus;
using test::Arrived;
using test::key_in;
using test::Rig;

constexpr MemberId kNodes = 3;
constexpr std::array<Slot, 4> kSlots = {0, 1, 8000, 16000};

// What the cluster as a whole holds of one slot, and who may act on it.
struct SlotTruth {
  MemberId head = 1;  // kNoMember between two chains
  Epoch epoch = 1;
  std::vector<std::string> log;             // every write appends its value
  std::map<uint64_t, std::string> answers;  // by number
  uint64_t answered_below = 0;
};

struct HeldReply {
  uint64_t id;
  Slot slot;
  Epoch epoch;
  uint32_t attempt;
  bool write;
  std::string body;
  bool any_member = false;  // a read that stands in no order with others'
};

// The part of one node that belongs to one link.
struct NodeLink {
  ConnId conn = kNoConn;
  std::deque<Arrived> arrived = {};
  std::vector<HeldReply> held = {};
  std::map<Slot, uint32_t> bounced = {};
};

class World {
 public:
  World(uint64_t seed, Millis timeout)
      : random_(seed), rig_({.seed = seed, .settings = {{Setting::request_timeout_ms, concat(timeout)}}}) {
    for (const Slot slot : kSlots) truth_[slot];
    publish();
    for (int i = 0; i < 3; ++i) clients_.push_back({rig_.connect(), {}, {}});
  }

  void step() {
    const uint64_t what = random_.below(100);
    if (what < 30) return send_pipeline();
    if (what < 55) return serve_some();
    if (what < 75) return release_some();
    if (what < 80) return stop_slot();
    if (what < 86) return hand_over();
    if (what < 90) return publish();
    if (what < 93) return break_link();
    rig_.advance(static_cast<Millis>(random_.below(30)));
  }

  // Faults end; everything that waits is served or given up.
  void settle() {
    for (auto& [slot, truth] : truth_) {
      if (truth.head == kNoMember) truth.head = 1;
    }
    publish();
    for (int i = 0; i < 400; ++i) {
      serve_some();
      release_some();
      rig_.advance(20);
    }
    read_replies();
  }

  void check() {
    RC_ASSERT(rig_.router->outstanding() == 0u);
    for (Client& client : clients_) {
      RC_ASSERT(client.replies.size() == client.sent.size());
      std::map<Slot, size_t> last;
      for (size_t i = 0; i < client.sent.size(); ++i) check_one(client.sent[i], client.replies[i], last);
    }
  }

  size_t unknown = 0;
  size_t not_run = 0;
  size_t acknowledged = 0;
  size_t read_elsewhere = 0;  // and not in the head's order
  size_t referred = 0;

 private:
  struct Sent {
    Slot slot;
    std::string value;  // empty for a read
  };
  struct Client {
    ConnId conn;
    std::vector<Sent> sent;
    std::vector<std::string> replies;
  };

  void send_pipeline() {
    Client& client = clients_[random_.below(clients_.size())];
    std::string pipeline;
    for (uint64_t i = 0, count = 1 + random_.below(5); i < count; ++i) {
      const Slot slot = kSlots[random_.below(kSlots.size())];
      const std::string key = key_in(slot);
      std::string value = random_.percent(70) ? concat("v", ++values_) : "";
      if (value.empty()) {
        protocol::append_request(pipeline, std::vector<std::string_view>{"GET", key});
      } else {
        protocol::append_request(pipeline, std::vector<std::string_view>{"APPEND", key, value});
      }
      client.sent.push_back({slot, std::move(value)});
    }
    rig_.send(client.conn, pipeline);
  }

  NodeLink& link_of(MemberId member) {
    NodeLink& link = links_[member];
    if (link.conn != rig_.link(member)) link = NodeLink{.conn = rig_.link(member)};
    for (Arrived& one : rig_.requests(member)) link.arrived.push_back(std::move(one));
    return link;
  }

  void serve_some() {
    for (MemberId member = 1; member <= kNodes; ++member) {
      NodeLink& link = link_of(member);
      for (uint64_t i = 0, count = random_.below(6); i < count && !link.arrived.empty(); ++i) {
        const Arrived request = std::move(link.arrived.front());
        link.arrived.pop_front();
        serve(member, link, request);
      }
    }
  }

  void serve(MemberId member, NodeLink& link, const Arrived& request) {
    SlotTruth& truth = truth_.at(request.header.slot);
    if ((request.header.flags & protocol::kRequestAnyMember) != 0) return read_anywhere(member, link, request, truth);
    const auto bounced = link.bounced.find(request.header.slot);
    const bool behind = bounced != link.bounced.end() && request.header.attempt <= bounced->second;
    if (truth.head != member || request.header.epoch > truth.epoch || behind) {
      link.bounced[request.header.slot] = std::max(behind ? bounced->second : 0, request.header.attempt);
      return rig_.bounce(member, request.header.id, truth.epoch);
    }
    HeldReply held{request.header.id,      request.header.slot,        truth.epoch,
                   request.header.attempt, request.header.number != 0, {}};
    if (!held.write) {
      held.body = concat(":", truth.log.size(), "\r\n");
    } else if (const auto known = truth.answers.find(request.header.number); known != truth.answers.end()) {
      held.body = known->second;
    } else if (request.header.number < truth.answered_below) {
      return rig_.reply(member, request.header.id, {}, truth.epoch, ReplyStatus::expired);
    } else {
      truth.log.push_back(request.args.back());
      held.body = concat(":", truth.log.size(), "\r\n");
      truth.answers[request.header.number] = held.body;
    }
    truth.answered_below = std::max(truth.answered_below, request.header.answered_below);
    truth.answers.erase(truth.answers.begin(), truth.answers.lower_bound(truth.answered_below));
    link.held.push_back(std::move(held));
  }

  // All members are in every chain, and know of each write that is executed: it counts as committed then.
  void read_anywhere(MemberId member, NodeLink& link, const Arrived& request, const SlotTruth& truth) {
    if (truth.head == kNoMember || request.header.epoch > truth.epoch || random_.percent(10)) {
      ++referred;
      return rig_.reply(member, request.header.id, {}, truth.epoch, ReplyStatus::ask_head);
    }
    ++read_elsewhere;
    link.held.push_back(
        {request.header.id, request.header.slot, truth.epoch, 0, false, concat(":", truth.log.size(), "\r\n"), true});
  }

  // In any order across slots, and in the order of execution within one; but for reads, at times: of another key, which
  // waits for nothing that came before (R7). Of a slot that has gone elsewhere: unsettled, or late, under the epoch of
  // its execution.
  void release_some() {
    for (MemberId member = 1; member <= kNodes; ++member) {
      NodeLink& link = link_of(member);
      for (uint64_t i = 0, count = random_.below(6); i < count && !link.held.empty(); ++i) {
        auto next = link.held.begin() + static_cast<std::ptrdiff_t>(random_.below(link.held.size()));
        if (next->write || random_.percent(50)) {
          next = std::find_if(link.held.begin(), link.held.end(),
                              [slot = next->slot](const HeldReply& held) { return held.slot == slot; });
        }
        const HeldReply held = std::move(*next);
        link.held.erase(next);
        release(member, held);
      }
    }
  }

  void release(MemberId member, const HeldReply& held) {
    const SlotTruth& truth = truth_.at(held.slot);
    if (held.any_member) {
      const bool left = held.epoch != truth.epoch && random_.percent(50);
      const Epoch epoch = random_.percent(50) ? held.epoch : truth.epoch;
      return rig_.reply(member, held.id, left ? "" : held.body, epoch,
                        left ? ReplyStatus::unsettled : ReplyStatus::done);
    }
    const bool lost = truth.head != member && (held.epoch + held.slot) % 2 == 0;  // the same for all of that time
    if (lost) {
      uint32_t& bounced = links_[member].bounced[held.slot];
      bounced = std::max(bounced, held.attempt);
      return rig_.reply(member, held.id, {}, held.epoch, ReplyStatus::unsettled);
    }
    const bool late = truth.head != member || random_.percent(20);  // it had left before the epoch changed
    rig_.reply(member, held.id, held.body, late ? held.epoch : truth.epoch);
  }

  void stop_slot() { truth_.at(kSlots[random_.below(kSlots.size())]).head = kNoMember; }

  void hand_over() {
    SlotTruth& truth = truth_.at(kSlots[random_.below(kSlots.size())]);
    truth.head = static_cast<MemberId>(1 + random_.below(kNodes));
    truth.epoch = ++epoch_;
    if (random_.percent(70)) publish();  // otherwise the router learns of it later
  }

  void publish() {
    protocol::TableMessage message = rig_.table({1, 2, 3});
    message.ranges.clear();
    Slot first = 0;
    for (size_t i = 0; i < kSlots.size(); ++i) {
      const SlotTruth& truth = truth_.at(kSlots[i]);
      const Slot last = i + 1 == kSlots.size() ? kSlotCount - 1 : static_cast<Slot>(kSlots[i + 1] - 1);
      protocol::TableRange range{first, last, truth.epoch, {}, 0, {}, {}};
      for (MemberId member = 1; member <= kNodes; ++member) {
        range.chain.insert(member == truth.head ? range.chain.begin() : range.chain.end(), member);
      }
      message.ranges.push_back(std::move(range));
      first = static_cast<Slot>(last + 1);
    }
    rig_.publish(message);
  }

  void break_link() {
    const auto member = static_cast<MemberId>(1 + random_.below(kNodes));
    if (rig_.link(member) != kNoConn) rig_.break_link(member);
  }

  void read_replies() {
    for (Client& client : clients_) {
      const std::string output = rig_.read(client.conn);
      for (size_t begin = 0; begin < output.size();) {
        const size_t end = output.find("\r\n", begin);
        client.replies.push_back(output.substr(begin, end - begin));
        begin = end + 2;
      }
    }
  }

  // `last`: of each slot, how much of its log the client knew to be there before it sent this.
  void check_one(const Sent& sent, const std::string& reply, std::map<Slot, size_t>& last) {
    const std::vector<std::string>& log = truth_.at(sent.slot).log;
    if (sent.value.empty()) {
      if (!reply.starts_with(':')) return;
      const size_t seen = *parse_uint(std::string_view(reply).substr(1));
      RC_ASSERT(seen >= last[sent.slot]);  // its own writes, and what earlier reads saw
      last[sent.slot] = seen;              // and nothing of what it wrote later
      return;
    }
    const auto count = std::count(log.begin(), log.end(), sent.value);
    const auto place = static_cast<size_t>(std::find(log.begin(), log.end(), sent.value) - log.begin()) + 1;
    if (reply.starts_with(':')) {
      ++acknowledged;
      RC_ASSERT(count == 1);
      RC_ASSERT(reply == concat(':', place));
    } else if (reply.starts_with("-TIMEOUT")) {
      ++unknown;
      RC_ASSERT(count <= 1);
    } else {
      ++not_run;
      RC_ASSERT(reply.starts_with("-CLUSTERDOWN"));
      RC_ASSERT(count == 0);
    }
    if (count == 0) return;
    RC_ASSERT(place > last[sent.slot]);
    last[sent.slot] = place;
  }

  SeededRandom random_;
  Rig rig_;
  std::map<Slot, SlotTruth> truth_;
  std::map<MemberId, NodeLink> links_;
  std::vector<Client> clients_;
  Epoch epoch_ = 1;
  uint64_t values_ = 0;
};

// Runs a few worlds from one seed: each is short, so that a failing one is easy to read.
template <class Visit>
void run_worlds(uint64_t seed, Millis timeout, Visit&& visit) {
  constexpr int kWorlds = 5;
  constexpr int kSteps = 150;
  SeededRandom seeds(seed);
  for (int i = 0; i < kWorlds; ++i) {
    World world(seeds.next(), timeout);
    for (int step = 0; step < kSteps; ++step) world.step();
    world.settle();
    world.check();
    visit(world);
  }
}

TEST_CASE("Router: with patience, every write of every client takes effect once and in order, whatever happens") {
  size_t acknowledged = 0;
  size_t read_elsewhere = 0;
  size_t referred = 0;
  rc::prop("any faults", [&](uint64_t seed) {
    run_worlds(seed, 60'000, [&](const World& world) {
      RC_ASSERT(world.unknown + world.not_run == 0u);
      acknowledged += world.acknowledged;
      read_elsewhere += world.read_elsewhere;
      referred += world.referred;
    });
  });
  CHECK(acknowledged > 1000);
  CHECK(read_elsewhere > 1000);
  CHECK(referred > 100);
}

TEST_CASE("Router: without patience, what is called not executed never was, and nothing takes effect twice") {
  size_t unknown = 0;
  size_t not_run = 0;
  rc::prop("any faults", [&](uint64_t seed) {
    run_worlds(seed, 40, [&](const World& world) {
      unknown += world.unknown;
      not_run += world.not_run;
    });
  });
  CHECK(unknown > 100);
  CHECK(not_run > 100);
}

}  // namespace
}  // namespace chainring::router
