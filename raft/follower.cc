// What a follower does with its leader's appends and snapshots (3.5, chapter 5).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/raft.h"

namespace chainring::raft {

void Core::follow(const Message& m) {
  if (role_ == Role::leader) return set_fault("two servers lead one term");
  if (role_ != Role::follower || leader_ != m.from) become_follower(term(), m.from);
  last_contact_ = now_;
  reset_election_timer();
}

void Core::on_append(const Message& m) {
  follow(m);
  if (!fault_.ok()) return;
  // What is committed here is in every later leader's log (3.6.3), so it matches without a look.
  if (m.index < committed_) return acknowledge(m, committed_);
  if (!log_.matches(m.index, m.log_term)) return refuse_append(m);
  if (!store_entries(m)) return;
  const Index last = m.index + m.entries.size();
  commit_to(std::min(m.commit, last));
  acknowledge(m, last);
}

// Keeps what agrees, so that an append that comes late takes nothing back.
bool Core::store_entries(const Message& m) {
  for (const Entry& entry : m.entries) {
    if (log_.matches(entry.index, entry.term)) continue;
    if (entry.index <= log_.last_index()) {
      if (entry.index <= committed_) {
        set_fault("the leader contradicts a committed entry");
        return false;
      }
      log_.truncate(entry.index);
      stable_ = std::min(stable_, entry.index - 1);
      offered_ = std::min(offered_, entry.index - 1);
    }
    log_.append(entry);
  }
  return true;
}

void Core::refuse_append(const Message& m) {
  Message reply = message(MessageType::append_reply, m.from);
  reply.refused = true;
  reply.index = m.index;
  reply.round = m.round;
  reply.hint = log_.last_agreement(m.index, m.log_term);
  reply.log_term = log_.term_at(reply.hint).value_or(0);
  send(std::move(reply));
}

void Core::acknowledge(const Message& m, Index match) {
  Message reply = message(MessageType::append_reply, m.from);
  reply.index = match;
  reply.round = m.round;
  send(std::move(reply));
}

void Core::on_snapshot_chunk(const Message& m) {
  follow(m);
  if (!fault_.ok()) return;
  if (m.index <= committed_) return acknowledge(m, committed_);
  if (log_.matches(m.index, m.log_term)) {  // the entries are here, only word of their commitment was missing
    commit_to(m.index);
    return acknowledge(m, m.index);
  }
  const bool continues =
      incoming_ && incoming_->from == m.from && incoming_->term == m.term && incoming_->snapshot.index == m.index;
  if (!continues) incoming_ = Incoming{m.from, m.term, Snapshot{m.index, m.log_term, m.configuration, {}}};
  std::string& data = incoming_->snapshot.data;
  const bool fits = m.offset == data.size() && m.chunk.size() <= options_.limits.snapshot_bytes_max - data.size();
  if (fits) data += m.chunk;
  if (fits && m.last_chunk) {
    install(std::move(incoming_->snapshot));
    return acknowledge(m, log_.snapshot().index);
  }
  Message reply = message(MessageType::snapshot_reply, m.from);
  reply.index = m.index;
  reply.offset = data.size();
  reply.round = m.round;
  send(std::move(reply));
}

void Core::install(Snapshot snapshot) {
  CHECK(snapshot.index > committed_, "a snapshot never takes the state back");
  incoming_.reset();
  log_ = EntryLog(SnapshotMark{snapshot.index, snapshot.term, snapshot.configuration});
  stable_ = offered_ = committed_ = applied_ = snapshot.index;
  installed_ = std::move(snapshot);
}

}  // namespace chainring::raft
