#include "raft/raft.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "raft/configuration.h"

namespace chainring::raft {

Core::Core(const CoreOptions& options, Random& random, const HardState& hard_state, EntryLog log, Micros now)
    : options_(options),
      random_(random),
      now_(now),
      hard_state_(hard_state),
      saved_hard_state_(hard_state),
      log_(std::move(log)),
      stable_(log_.last_index()),
      offered_(stable_),
      committed_(log_.snapshot().index),
      applied_(committed_) {
  CHECK(options_.id != kNobody, "a server has an id");
  CHECK(options_.heartbeat_us > 0, "a leader must be heard");
  CHECK(options_.heartbeat_us < options_.election_us, "a leader must be heard before its followers lose patience");
  // A snapshot or entries of a later term can be on disk before that term is: nothing was said in it yet.
  if (log_.last_term() > hard_state_.term) hard_state_ = HardState{log_.last_term(), kNobody};
  reset_election_timer();
}

void Core::tick(Micros now) {
  now_ = std::max(now_, now);
  if (role_ == Role::leader) return lead_tick();
  if (now_ < election_deadline_) return;
  // Waking much too late is a stall of this server itself (a slow sync, a frozen process), and the leader's heartbeats
  // may be waiting to be read: they get their chance.
  if (now_ - election_deadline_ > options_.heartbeat_us) {
    election_deadline_ = now_ + options_.heartbeat_us;
    return;
  }
  if (may_campaign()) return begin_pre_vote();
  leader_ = kNobody;
  reset_election_timer();
}

Micros Core::next_tick() const {
  if (has_work()) return now_;
  if (role_ == Role::leader) return lead_->heartbeat_due;
  return may_campaign() || leader_ != kNobody ? election_deadline_ : kNever;
}

void Core::step(const Message& m) {
  if (m.to != options_.id || m.from == options_.id || m.from == kNobody || !is_well_formed(m)) return;
  note_ = std::max(note_, Note{m.note_term, m.note});
  const bool asks_for_vote = m.type == MessageType::vote || m.type == MessageType::pre_vote;
  if (asks_for_vote && ignores_election(m)) return;
  if (m.term < term()) return answer_older_term(m);
  // The terms of a pre-vote and of its grant are only what would be (9.6).
  const bool hypothetical = m.type == MessageType::pre_vote || (m.type == MessageType::pre_vote_reply && !m.refused);
  if (m.term > term() && !hypothetical) become_follower(m.term, kNobody);
  dispatch(m);
}

void Core::dispatch(const Message& m) {
  switch (m.type) {
    case MessageType::append:
      return on_append(m);
    case MessageType::append_reply:
      return on_append_reply(m);
    case MessageType::vote:
    case MessageType::pre_vote:
      return on_vote_request(m);
    case MessageType::vote_reply:
    case MessageType::pre_vote_reply:
      return on_vote_reply(m);
    case MessageType::snapshot:
      return on_snapshot_chunk(m);
    case MessageType::snapshot_reply:
      return on_snapshot_reply(m);
    case MessageType::timeout_now:
      if (role_ == Role::follower && may_campaign()) begin_election(true);
      return;
  }
}

// A server that was cut off can have a greater term than a leader that works. It tells that leader, or it could never
// follow again: the leader steps down and the next one has a term that both accept.
void Core::answer_older_term(const Message& m) {
  switch (m.type) {
    case MessageType::append:
    case MessageType::snapshot: {
      Message reply = message(MessageType::append_reply, m.from);
      reply.refused = true;
      return send(std::move(reply));
    }
    case MessageType::vote:
    case MessageType::pre_vote: {
      const bool real = m.type == MessageType::vote;
      Message reply = message(real ? MessageType::vote_reply : MessageType::pre_vote_reply, m.from);
      reply.refused = true;
      return send(std::move(reply));
    }
    default:
      return;
  }
}

bool Core::is_well_formed(const Message& m) const {
  if (m.type < MessageType::append || m.type > MessageType::timeout_now || m.term == 0) return false;
  Term term = m.log_term;
  Index index = m.index;
  for (const Entry& entry : m.entries) {
    if (entry.index != ++index || entry.term < term || entry.term > m.term || entry.term == 0) return false;
    if (entry.kind > EntryKind::no_op) return false;
    if (entry.kind == EntryKind::configuration && !configuration_of(entry)) return false;
    term = entry.term;
  }
  return m.type != MessageType::snapshot || (m.index > 0 && is_valid(m.configuration));
}

Message Core::message(MessageType type, ServerId to) const {
  Message m;
  m.type = type;
  m.from = options_.id;
  m.to = to;
  m.term = term();
  m.note = note_.value;
  m.note_term = note_.term;
  return m;
}

bool Core::has_work() const {
  if (!messages_.empty() || installed_ || hard_state_ != saved_hard_state_) return true;
  if (offered_ < log_.last_index() || applied_ < committed_) return true;
  if (!reads_.confirmed.empty() || !reads_.failed.empty() || !fault_.ok()) return true;
  if (!lead_) return false;
  return lead_->commit_news || (!lead_->reads.empty() && lead_->reads.back().round > lead_->round);
}

Ready Core::take_ready() {
  if (lead_) send_to_peers();
  Ready ready;
  ready.snapshot = std::exchange(installed_, std::nullopt);
  if (hard_state_ != saved_hard_state_) ready.hard_state = saved_hard_state_ = hard_state_;
  ready.entries_first = offered_ + 1;
  ready.entries_last = offered_ = log_.last_index();
  for (Message& m : messages_) {
    m.note = note_.value;
    m.note_term = note_.term;
  }
  ready.messages = std::exchange(messages_, {});
  return ready;
}

void Core::persisted() {
  stable_ = offered_;
  if (lead_) advance_commit();
}

const Entry* Core::next_to_apply() const {
  // Stable ones only: a state must never hold more than what a restart finds again.
  return applied_ < std::min(committed_, stable_) ? &log_.at(applied_ + 1) : nullptr;
}

void Core::applied_to(Index index) {
  CHECK(index > applied_, "an entry is applied once");
  CHECK(index <= committed_, "only committed entries are applied");
  applied_ = index;
}

Reads Core::take_reads() { return std::exchange(reads_, {}); }

void Core::compact(SnapshotMark snapshot, Index base) {
  CHECK(snapshot.index <= applied_, "a snapshot holds what was applied");
  log_.compact(std::move(snapshot), base);
  if (!lead_) return;
  for (auto& [id, peer] : lead_->peers) {
    if (peer.state == Progress::State::snapshot) peer.become_snapshot(log_.snapshot().index);
  }
}

void Core::commit_to(Index index) {
  CHECK(index <= log_.last_index(), "what is committed is in the log");
  committed_ = std::max(committed_, index);
}

void Core::set_note(int64_t note) {
  if (role_ == Role::leader) note_ = {term(), std::max(note_.value, note)};
}

void Core::set_fault(std::string_view what) {
  if (fault_.ok()) {
    fault_ = Status(ErrorCode::corrupt, concat("raft: ", what, "; some server's disk has lost what it had promised"));
  }
}

}  // namespace chainring::raft
