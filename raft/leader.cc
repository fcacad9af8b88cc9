// What a leader takes in: proposals, acknowledgements, reads, transfers, changes of the group.
#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "raft/configuration.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace chainring::raft {
namespace {

Status not_leading() { return {ErrorCode::unavailable, "this server does not lead the group"}; }

}  // namespace

void Core::become_leader() {
  role_ = Role::leader;
  leader_ = options_.id;
  lead_.emplace();
  lead_->heartbeat_due = now_ + options_.heartbeat_us;
  lead_->uncommitted_bytes = log_.bytes_after(committed_);
  refresh_peers();
  // 6.4 and 3.6.2: an entry of the own term, once committed, tells what else is.
  lead_->first_index = append_own(EntryKind::no_op, {});
}

Index Core::append_own(EntryKind kind, std::string data) {
  Entry entry{term(), log_.last_index() + 1, kind, std::move(data)};
  lead_->uncommitted_bytes += EntryLog::weight(entry);
  log_.append(std::move(entry));
  return log_.last_index();
}

// A server that left is still fed until its removal is committed, so that it learns of it.
void Core::refresh_peers() {
  const auto add = [&](ServerId server) {
    if (server == options_.id || lead_->peers.contains(server)) return;
    Progress peer;
    peer.next = log_.last_index() + 1;
    peer.last_contact = now_;
    lead_->peers.emplace(server, std::move(peer));
  };
  for (const ServerId server : configuration().voters) add(server);
  for (const ServerId server : configuration().learners) add(server);
}

bool Core::is_settled() const { return lead_ && committed_ >= lead_->first_index; }

bool Core::leading() const { return lead_ && applied_ >= lead_->first_index; }

Result<Index> Core::propose(std::string data) {
  if (!is_settled()) return not_leading();
  if (handing_over()) return Status(ErrorCode::unavailable, "leadership is being handed over");
  if (data.size() > options_.limits.proposal_bytes_max) {
    return Status(ErrorCode::invalid_argument,
                  concat("a proposal has at most ", options_.limits.proposal_bytes_max, " bytes"));
  }
  if (lead_->uncommitted_bytes >= options_.limits.uncommitted_bytes_max ||
      log_.last_index() - committed_ >= options_.limits.uncommitted_entries_max) {
    return Status(ErrorCode::resource_exhausted, "too many proposals are waiting to be committed");
  }
  return append_own(EntryKind::data, std::move(data));
}

Result<Index> Core::propose_configuration(const Configuration& to) {
  if (!is_settled()) return not_leading();
  if (handing_over()) return Status(ErrorCode::unavailable, "leadership is being handed over");
  if (log_.configuration_index() > committed_) {
    return Status(ErrorCode::unavailable, "the last change of the group is not committed yet");
  }
  if (Status status = check_change(configuration(), to); !status) return status;
  if (Status status = check_voters(to); !status) return status;
  const Index index = append_own(EntryKind::configuration, encode(to));
  refresh_peers();
  return index;
}

// A change must not make the group wait for a server that does not have the log: not for a new voter (4.2.1), and not
// because those who keep the group alive are the ones that leave.
Status Core::check_voters(const Configuration& to) const {
  size_t ready = 0;
  for (const ServerId voter : to.voters) {
    const bool caught_up = voter == options_.id || has_caught_up(voter);
    if (caught_up) ++ready;
    if (!caught_up && !is_voter(configuration(), voter)) {
      return {ErrorCode::unavailable, "the learner has not caught up yet"};
    }
  }
  if (ready >= majority_of(to.voters.size())) return {};
  return {ErrorCode::unavailable, "most of the voters that would remain do not answer or lack much of the log"};
}

bool Core::has_caught_up(ServerId server) const {
  const Progress* peer = progress(server);
  if (peer == nullptr) return false;
  const bool answers = now_ < peer->last_contact + options_.election_us;
  return answers && peer->match > 0 && peer->match + options_.limits.lag_entries_max >= log_.last_index();
}

Status Core::read(uint64_t context) {
  if (!is_settled()) return not_leading();
  if (lead_->reads.size() >= options_.limits.reads_pending_max) {
    return {ErrorCode::resource_exhausted, "too many reads are waiting"};
  }
  // The round that confirms it begins with the next take_ready(), so after this call.
  lead_->reads.push_back(PendingRead{context, lead_->round + 1});
  return {};
}

Status Core::transfer_leadership(ServerId to) {
  if (!is_settled()) return not_leading();
  if (to == options_.id) return {ErrorCode::already_exists, "this server leads already"};
  if (!is_voter(configuration(), to)) return {ErrorCode::invalid_argument, "only a voter can lead"};
  if (handing_over()) return {ErrorCode::unavailable, "leadership is being handed over already"};
  lead_->transfer = Transfer{to, now_ + options_.election_us};
  continue_transfer();
  return {};
}

void Core::continue_transfer() {
  if (!handing_over()) return;
  const Progress* peer = progress(lead_->transfer.to);
  if (peer != nullptr && peer->match == log_.last_index()) send(message(MessageType::timeout_now, lead_->transfer.to));
}

void Core::lead_tick() {
  // Nor is a stall of the leader its peers' silence.
  const Micros stall = std::max<Micros>(0, now_ - lead_->heartbeat_due);
  for (auto& [id, peer] : lead_->peers) peer.last_contact += stall;
  if (!hears_quorum()) return become_follower(term(), kNobody);
  if (handing_over() && now_ >= lead_->transfer.deadline) lead_->transfer = {};
  if (now_ < lead_->heartbeat_due) return;
  lead_->heartbeat_due = now_ + options_.heartbeat_us;
  lead_->heartbeat_now = true;
}

// 6.2: a leader that cannot reach a majority must not hold its clients for ever.
bool Core::hears_quorum() const {
  const Micros heard = quorum_value(configuration().voters, [&](ServerId server) -> Micros {
    if (server == options_.id) return now_;
    return progress(server)->last_contact;
  });
  return now_ < heard + options_.election_us;
}

const Progress* Core::progress(ServerId peer) const {
  if (!lead_) return nullptr;
  const auto found = lead_->peers.find(peer);
  return found == lead_->peers.end() ? nullptr : &found->second;
}

void Core::on_append_reply(const Message& m) {
  if (!lead_) return;
  const auto found = lead_->peers.find(m.from);
  if (found == lead_->peers.end()) return;
  Progress& peer = found->second;
  peer.last_contact = now_;
  if (m.note_term == term()) peer.note = std::max(peer.note, m.note);
  peer.round = std::max(peer.round, std::min(m.round, lead_->round));
  confirm_reads();
  if (m.refused) return on_refused_append(m, peer);
  if (m.index > log_.last_index()) return;  // never true of a server that follows this leader
  const bool progressed = peer.acknowledge(m.index);
  const bool past_snapshot = peer.state == Progress::State::snapshot && peer.match >= log_.base();
  if (peer.state == Progress::State::probe || past_snapshot) peer.become_replicate();
  if (!progressed) return;
  advance_commit();
  continue_transfer();
}

void Core::on_refused_append(const Message& m, Progress& peer) {
  if (peer.state == Progress::State::snapshot) return;
  if (m.index <= peer.match) return;  // an old refusal: it has matched since
  const bool probing = peer.state == Progress::State::probe;
  if (probing && m.index != peer.next - 1) return;  // of another probe
  const Index agreement = log_.last_agreement(m.hint, m.log_term);
  peer.become_probe(std::max(peer.match + 1, std::min(m.index, agreement + 1)));
}

void Core::on_snapshot_reply(const Message& m) {
  if (!lead_) return;
  const auto found = lead_->peers.find(m.from);
  if (found == lead_->peers.end()) return;
  Progress& peer = found->second;
  peer.last_contact = now_;
  if (m.note_term == term()) peer.note = std::max(peer.note, m.note);
  if (peer.state != Progress::State::snapshot || m.index != peer.snapshot_index) return;
  // A smaller offset is an old reply or a peer that began again; the next heartbeat sends it what it lacks.
  if (m.offset > peer.snapshot_offset) peer.chunk_sent = false;
  peer.snapshot_offset = m.offset;
}

// 3.6.2: only an entry of the own term is committed by counting; the ones before it follow.
void Core::advance_commit() {
  const Index reached = quorum_value(configuration().voters, [&](ServerId server) -> Index {
    return server == options_.id ? stable_ : progress(server)->match;
  });
  if (reached <= committed_ || log_.term_at(reached) != term()) return;
  for (Index i = committed_ + 1; i <= reached; ++i) lead_->uncommitted_bytes -= EntryLog::weight(log_.at(i));
  commit_to(reached);
  lead_->commit_news = true;
}

void Core::confirm_reads() {
  if (lead_->reads.empty()) return;
  const uint64_t confirmed = quorum_value(configuration().voters, [&](ServerId server) -> uint64_t {
    return server == options_.id ? lead_->round : progress(server)->round;
  });
  while (!lead_->reads.empty() && lead_->reads.front().round <= confirmed) {
    reads_.confirmed.push_back(lead_->reads.front().context);
    lead_->reads.pop_front();
  }
}

void Core::fail_reads() {
  for (const PendingRead& read : lead_->reads) reads_.failed.push_back(read.context);
}

int64_t Core::quorum_note() const {
  if (!lead_) return 0;
  return quorum_value(configuration().voters, [&](ServerId server) -> int64_t {
    if (server != options_.id) return progress(server)->note;
    return note_.term == term() ? note_.value : 0;
  });
}

}  // namespace chainring::raft
