#include "tests/raft/core_group.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace chainring::raft::testing {
namespace {

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += part + ",";
  return joined;
}

std::vector<std::string> split(std::string_view joined) {
  std::vector<std::string> parts;
  while (!joined.empty()) {
    const size_t comma = joined.find(',');
    parts.emplace_back(joined.substr(0, comma));
    joined.remove_prefix(comma + 1);
  }
  return parts;
}

}  // namespace

Configuration voters(std::vector<ServerId> ids, std::vector<ServerId> learners) {
  return Configuration{std::move(ids), std::move(learners)};
}

Entry entry(Term term, Index index, std::string data, EntryKind kind) {
  return Entry{term, index, kind, std::move(data)};
}

EntryLog log_of(const Configuration& configuration, const std::vector<Term>& terms) {
  EntryLog log;
  for (const Term term : terms) {
    const bool first = log.last_index() == 0;
    log.append(first ? entry(term, 1, encode(configuration), EntryKind::configuration)
                     : entry(term, log.last_index() + 1));
  }
  return log;
}

CoreGroup::CoreGroup(size_t size, const Limits& limits) : limits_(limits) {
  Configuration configuration;
  for (ServerId id = 1; id <= size; ++id) configuration.voters.push_back(id);
  for (const ServerId id : configuration.voters) add(id, HardState{1, kNobody}, log_of(configuration, {1}));
}

void CoreGroup::add(ServerId id, const HardState& hard_state, EntryLog log) {
  Server& server = servers_[id];
  server.hard_state = hard_state;
  server.log = std::move(log);
  const CoreOptions options{id, kHeartbeatUs, kElectionUs, limits_};
  server.core = std::make_unique<Core>(options, *server.random, server.hard_state, server.log, server.now);
  queues_[id];
}

void CoreGroup::restart(ServerId id) {
  Server& server = servers_.at(id);
  applied[id] = split(server.snapshot);
  queues_[id].clear();
  add(id, server.hard_state, server.log);
}

void CoreGroup::elapse(ServerId id, Micros us) {
  for (; us > kHeartbeatUs; us -= kHeartbeatUs) stall(id, kHeartbeatUs);
  stall(id, us);
}

void CoreGroup::stall(ServerId id, Micros us) {
  Server& server = servers_.at(id);
  server.now += us;
  server.core->tick(server.now);
}

Flushed CoreGroup::flush(ServerId id) {
  Server& server = servers_.at(id);
  Core& core = *server.core;
  Flushed flushed;
  flushed.ready = core.take_ready();
  const Ready& ready = flushed.ready;
  for (Index i = ready.entries_first; i <= ready.entries_last; ++i) flushed.persisted.push_back(core.log().at(i));
  core.persisted();
  server.hard_state = HardState{core.term(), core.vote()};
  server.log = core.log();
  if (ready.snapshot) {
    server.snapshot = ready.snapshot->data;
    applied[id] = split(server.snapshot);
  }
  while (const Entry* next = core.next_to_apply()) {
    flushed.applied.push_back(*next);
    if (next->kind == EntryKind::data) applied[id].push_back(next->data);
    core.applied_to(next->index);
  }
  flushed.reads = core.take_reads();
  fill_chunks(id, flushed.ready.messages);
  for (const Message& message : ready.messages) queues_[message.to].push_back(message);
  return flushed;
}

void CoreGroup::fill_chunks(ServerId id, std::vector<Message>& messages) {
  const std::string& data = servers_.at(id).snapshot;
  for (Message& m : messages) {
    if (m.type != MessageType::snapshot) continue;
    m.chunk = data.substr(m.offset, limits_.snapshot_chunk_bytes);
    m.last_chunk = m.offset + m.chunk.size() == data.size();
  }
}

size_t CoreGroup::deliver(ServerId to) {
  const std::vector<Message> messages = take(to);
  if (!servers_.contains(to)) return 0;
  for (const Message& message : messages) servers_.at(to).core->step(message);
  flush(to);
  return messages.size();
}

void CoreGroup::settle(const std::function<bool(const Message&)>& passes) {
  constexpr size_t kRoundsMax = 1000;
  for (size_t round = 0; round < kRoundsMax; ++round) {
    bool quiet = true;
    for (auto& [id, server] : servers_) {
      auto& queue = queues_[id];
      std::erase_if(queue, [&](const Message& message) { return !passes(message); });
      if (queue.empty() && !server.core->has_work()) continue;
      quiet = false;
      deliver(id);
    }
    if (quiet) return;
  }
  CHECK(false, "messages went on and on");
}

std::vector<Message> CoreGroup::take(ServerId to) {
  auto& queue = queues_[to];
  std::vector<Message> messages(queue.begin(), queue.end());
  queue.clear();
  return messages;
}

void CoreGroup::elect(ServerId id) {
  for (const auto& [other, server] : servers_) {
    if (other != id) elapse(other, kElectionUs);
  }
  time_out(id);
  settle();
}

void CoreGroup::compact(ServerId id, Index base) {
  Server& server = servers_.at(id);
  Core& core = *server.core;
  const Index index = core.applied();
  server.snapshot = join(applied[id]);
  core.compact(SnapshotMark{index, *core.log().term_at(index), core.log().configuration_at(index)}, base);
  server.log = core.log();
}

}  // namespace chainring::raft::testing
