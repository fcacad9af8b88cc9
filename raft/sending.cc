// What a leader sends: entries within each peer's window, heartbeats, snapshot chunks. Runs once a turn, so that all
// proposals and reads of a turn share messages.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/configuration.h"
#include "raft/raft.h"

namespace chainring::raft {

void Core::send_to_peers() {
  const bool new_round = !lead_->reads.empty() && lead_->reads.back().round > lead_->round;
  if (new_round) ++lead_->round;
  const bool heartbeat = std::exchange(lead_->heartbeat_now, false);
  const bool commit_news = std::exchange(lead_->commit_news, false);
  for (auto& [id, peer] : lead_->peers) {
    if (heartbeat) peer.probe_sent = peer.chunk_sent = false;
    const bool owes_commit = commit_news && peer.state == Progress::State::replicate && peer.commit_sent < committed_;
    feed(id, peer, heartbeat || new_round || owes_commit);
  }
  if (new_round) confirm_reads();
  if (heartbeat) continue_transfer();
  finish_removals();
}

// `announce`: something is to be said even when there is no entry to send.
void Core::feed(ServerId id, Progress& peer, bool announce) {
  bool told = false;
  if (peer.state != Progress::State::snapshot && peer.next <= log_.base()) {
    CHECK(log_.snapshot().index >= log_.base(), "what is gone from the log is in a snapshot");
    peer.become_snapshot(log_.snapshot().index);
  }
  if (peer.state == Progress::State::probe && !peer.probe_sent) {
    send_entries(id, peer);
    peer.probe_sent = told = true;
  }
  while (peer.state == Progress::State::replicate && peer.next <= log_.last_index() &&
         peer.in_flight.size() < options_.limits.appends_in_flight_max) {
    send_entries(id, peer);
    told = true;
  }
  const bool answers = now_ < peer.last_contact + options_.election_us;
  if (peer.state == Progress::State::snapshot && !peer.chunk_sent && answers) send_chunk(id, peer);
  if (announce && !told) send_empty_append(id, peer);
}

void Core::send_entries(ServerId id, Progress& peer) {
  const Index previous = peer.next - 1;
  Message m = message(MessageType::append, id);
  m.index = previous;
  m.log_term = *log_.term_at(previous);
  m.commit = committed_;
  m.round = lead_->round;
  m.entries = log_.slice(peer.next, options_.limits.append_bytes_max);
  peer.commit_sent = committed_;
  if (peer.state == Progress::State::replicate) peer.sent_append(previous + m.entries.size());
  send(std::move(m));
}

// A heartbeat. It claims what was sent before it, so a peer that lost that refuses it and the leader learns of the
// loss; to a peer without a known place in the log it claims nothing.
void Core::send_empty_append(ServerId id, Progress& peer) {
  const bool placed = peer.state != Progress::State::snapshot;
  Message m = message(MessageType::append, id);
  m.index = placed ? peer.next - 1 : 0;
  m.log_term = placed ? *log_.term_at(m.index) : 0;
  m.commit = committed_;
  m.round = lead_->round;
  if (placed) peer.commit_sent = committed_;
  send(std::move(m));
}

void Core::send_chunk(ServerId id, Progress& peer) {
  const SnapshotMark& snapshot = log_.snapshot();
  CHECK(peer.snapshot_index == snapshot.index, "the newest snapshot is the one that is sent");
  Message m = message(MessageType::snapshot, id);
  m.index = snapshot.index;
  m.log_term = snapshot.term;
  m.configuration = snapshot.configuration;
  m.offset = peer.snapshot_offset;
  peer.chunk_sent = true;
  send(std::move(m));
}

bool Core::sending_snapshot() const {
  return lead_ && std::any_of(lead_->peers.begin(), lead_->peers.end(), [&](const auto& item) {
           const Progress& peer = item.second;
           return peer.state == Progress::State::snapshot && now_ < peer.last_contact + options_.election_us;
         });
}

// Once a removal is committed, who was removed has been told so as well as a message can, and is forgotten. A leader
// that was removed hands over to a voter that has everything, and follows (4.2.2).
void Core::finish_removals() {
  if (log_.configuration_index() > committed_) return;
  std::erase_if(lead_->peers, [&](const auto& item) { return !is_member(configuration(), item.first); });
  if (is_voter(configuration(), options_.id)) return;
  for (const ServerId voter : configuration().voters) {
    if (progress(voter)->match != log_.last_index()) continue;
    send(message(MessageType::timeout_now, voter));
    break;
  }
  become_follower(term(), kNobody);
}

}  // namespace chainring::raft
