// Elections: pre-vote, vote, and who listens to whom (3.4, 4.2.3, 9.6).
#include <algorithm>
#include <tuple>
#include <utility>

#include "raft/configuration.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace chainring::raft {

// A server that an entry not yet committed removes still campaigns: it may be the only one that has this entry and
// can be elected (4.2.2). Once it knows that it is out it keeps quiet.
bool Core::may_campaign() const {
  if (is_voter(configuration(), options_.id)) return true;
  const Index changed = log_.configuration_index();
  return changed > committed_ && is_voter(log_.configuration_at(changed - 1), options_.id);
}

// 4.2.3 and check-quorum: an election while a leader is heard could only disturb it.
bool Core::hears_leader() const {
  if (role_ == Role::leader) return true;
  return leader_ != kNobody && now_ < last_contact_ + options_.election_us;
}

bool Core::ignores_election(const Message& m) const { return is_blank() || (!m.transfer && hears_leader()); }

void Core::reset_election_timer() {
  const auto spread = static_cast<uint64_t>(options_.election_us);
  election_deadline_ = now_ + options_.election_us + static_cast<Micros>(random_.below(spread));
}

void Core::enter_term(Term term) {
  if (term > hard_state_.term) hard_state_ = HardState{term, kNobody};
}

void Core::become_follower(Term term, ServerId leader) {
  if (lead_) fail_reads();
  if (term > hard_state_.term) incoming_.reset();
  enter_term(term);
  lead_.reset();
  if (role_ != Role::follower) reset_election_timer();
  role_ = Role::follower;
  leader_ = leader;
}

void Core::begin_pre_vote() {
  role_ = Role::pre_candidate;
  leader_ = kNobody;
  reset_election_timer();
  ask_for_votes(MessageType::pre_vote, term() + 1, false);
}

void Core::begin_election(bool transfer) {
  role_ = Role::candidate;
  leader_ = kNobody;
  incoming_.reset();
  hard_state_ = HardState{term() + 1, options_.id};
  reset_election_timer();
  ask_for_votes(MessageType::vote, term(), transfer);
}

void Core::ask_for_votes(MessageType type, Term term, bool transfer) {
  granted_ = {options_.id};
  refused_.clear();
  for (const ServerId voter : configuration().voters) {
    if (voter == options_.id) continue;
    Message m = message(type, voter);
    m.term = term;
    m.index = log_.last_index();
    m.log_term = log_.last_term();
    m.transfer = transfer;
    send(std::move(m));
  }
  count_ballot();
}

void Core::on_vote_request(const Message& m) {
  const bool real = m.type == MessageType::vote;
  const bool free = real ? hard_state_.vote == kNobody && leader_ == kNobody : m.term > term();
  // 3.6.1: whoever lacks an entry that may be committed must not lead.
  const bool up_to_date = std::tie(m.log_term, m.index) >= std::make_tuple(log_.last_term(), log_.last_index());
  const bool again = real && hard_state_.vote == m.from;
  Message reply = message(real ? MessageType::vote_reply : MessageType::pre_vote_reply, m.from);
  reply.refused = !(up_to_date && (free || again));
  if (!reply.refused && real) {
    hard_state_.vote = m.from;
    reset_election_timer();
  }
  if (!reply.refused && !real) reply.term = m.term;
  send(std::move(reply));
}

void Core::on_vote_reply(const Message& m) {
  const bool real = m.type == MessageType::vote_reply;
  if (role_ != (real ? Role::candidate : Role::pre_candidate)) return;
  if (!real && !m.refused && m.term != term() + 1) return;  // of an older pre-vote
  auto& answers = m.refused ? refused_ : granted_;
  const auto known = [&](const std::vector<ServerId>& ids) {
    return std::find(ids.begin(), ids.end(), m.from) != ids.end();
  };
  if (known(granted_) || known(refused_)) return;
  answers.push_back(m.from);
  count_ballot();
}

void Core::count_ballot() {
  switch (count_votes(configuration().voters, granted_, refused_)) {
    case Ballot::pending:
      return;
    case Ballot::lost:
      return become_follower(term(), kNobody);
    case Ballot::won:
      return role_ == Role::candidate ? become_leader() : begin_election(false);
  }
}

}  // namespace chainring::raft
