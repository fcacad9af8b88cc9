#include "tests/raft/simulation_checker.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/text.h"
#include "raft/configuration.h"
#include "raft/quorum.h"

namespace chainring::raft::testing {
namespace {

constexpr uint64_t kFullComparisonEach = 64;  // flushes

uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2))) * 0xbf58476d1ce4e5b9ULL;
  return z ^ (z >> 29);
}

}  // namespace

uint64_t digest_of(const Entry& entry) {
  uint64_t digest = mix(static_cast<uint64_t>(entry.kind), entry.data.size());
  for (const char byte : entry.data) digest = mix(digest, static_cast<uint8_t>(byte));
  return digest;
}

uint64_t next_state(uint64_t state, EntryKind kind, uint64_t digest) {
  return kind == EntryKind::data ? mix(state, digest) : state;
}

void Checker::fail(ServerId id, const std::string& what) {
  if (ok()) violation_ = concat("server ", id, ": ", what);
}

void Checker::started(ServerId id, const Core& core) {
  Mirror& mirror = mirrors_[id];
  const std::vector<Term> terms = terms_of(core);
  const HardState hard_state{core.term(), core.vote()};
  // Both versions of the log have this prefix, so whatever a crash kept, it must be there.
  size_t certain = 0;
  const size_t shorter = std::min(mirror.terms.size(), mirror.core_terms.size());
  while (certain < shorter && mirror.terms[certain] == mirror.core_terms[certain]) ++certain;
  for (size_t i = 0; i < certain; ++i) {
    if (i >= terms.size() || terms[i] != mirror.terms[i]) {
      return fail(id, concat("durability: entry ", i + 1, " was on disk before the crash"));
    }
  }
  for (size_t i = certain; i < terms.size(); ++i) {
    const bool before = i < mirror.terms.size() && terms[i] == mirror.terms[i];
    const bool after = i < mirror.core_terms.size() && terms[i] == mirror.core_terms[i];
    if (!before && !after) return fail(id, concat("recovery: entry ", i + 1, " was never there"));
  }
  if (hard_state.term < mirror.hard_state.term) return fail(id, "durability: the term was forgotten");
  if (hard_state.term == mirror.hard_state.term && mirror.hard_state.vote != kNobody &&
      hard_state.vote != mirror.hard_state.vote) {
    return fail(id, "durability: the vote was forgotten");
  }
  const EntryLog& log = core.log();
  mirror.terms.assign(terms.begin(), terms.begin() + static_cast<std::ptrdiff_t>(log.base()));
  for (Index i = log.base() + 1; i <= log.last_index(); ++i) take_entry(id, mirror, known_entry(log, i));
  mirror.hard_state = hard_state;
  mirror.committed = core.committed();
  mirror.was_leader = false;
  mirror.note = {};
  mirror.core_terms.clear();
}

void Checker::crashing(ServerId id, const Core& core) {
  Mirror& mirror = mirrors_[id];
  // A flush that failed after it had applied something had synced before: all of it counts.
  if (mirror.flushing && core.applied() > mirror.change.applied) flushed(id, core);
  mirror.flushing = false;
  mirror.core_terms = terms_of(core);
}

std::vector<Term> Checker::terms_of(const Core& core) const {
  std::vector<Term> terms;
  const EntryLog& log = core.log();
  for (Index i = 1; i <= log.last_index(); ++i) {
    if (i <= log.base() && i > committed_.size()) break;  // reported where the log is taken
    terms.push_back(i <= log.base() ? committed_[i - 1].term : log.at(i).term);
  }
  return terms;
}

void Checker::flushed(ServerId id, const Core& core) {
  Mirror& mirror = mirrors_[id];
  mirror.flushing = false;
  check_hard_state(id, mirror, core);
  const bool cut = mirror.change.kept < mirror.terms.size();
  take_change(id, mirror, core);
  if (!ok()) return;
  check_leader(id, mirror, core);
  take_commits(id, mirror, core);
  check_snapshot(id, mirror, core);
  const std::pair note(core.note_term(), core.note());
  if (note < mirror.note) fail(id, "the heartbeat note went back");
  mirror.note = note;
  mirror.was_leader = core.role() == Role::leader;
  if (++mirror.flushes % kFullComparisonEach == 0) compare_in_full(id, mirror, core);
  if (cut || mirror.flushes % kFullComparisonEach == 0) check_configuration(id, core);
}

void Checker::check_hard_state(ServerId id, Mirror& mirror, const Core& core) {
  if (core.term() < mirror.hard_state.term) return fail(id, "the term went back");
  if (core.vote() != kNobody) {
    const auto [vote, first] = votes_.try_emplace({id, core.term()}, core.vote());
    if (vote->second != core.vote()) fail(id, concat("voted twice in term ", core.term()));
  }
  if (core.term() > mirror.hard_state.term) mirror.was_leader = false;
  mirror.hard_state = HardState{core.term(), core.vote()};
}

// Election safety and leader completeness.
void Checker::check_leader(ServerId id, const Mirror& mirror, const Core& core) {
  if (core.role() != Role::leader) return;
  const auto [leader, first] = leader_of_.try_emplace(core.term(), id);
  if (leader->second != id) return fail(id, concat("election safety: two leaders in term ", core.term()));
  if (!first) return;
  for (Index i = 1; i <= committed_.size(); ++i) {
    const CommittedEntry& entry = committed_[i - 1];
    if (entry.commit_term >= core.term()) continue;
    if (i > mirror.terms.size() || mirror.terms[i - 1] != entry.term) {
      return fail(id, concat("leader completeness: entry ", i, " is missing in the leader of term ", core.term()));
    }
  }
  if (core.note() < quorum_note_) fail(id, "was elected without the note that a quorum knew");
}

void Checker::flushing(ServerId id, const Core& core) { note_change(id, core, core.log().last_index()); }

void Checker::turned(ServerId id, const Core& core) {
  note_change(id, core, core.stable());
  flushed(id, core);
}

void Checker::note_change(ServerId id, const Core& core, Index last) {
  Mirror& mirror = mirrors_[id];
  const EntryLog& log = core.log();
  Change change{log.base(), std::min<Index>(last, mirror.terms.size()), core.applied(), {}};
  while (change.kept > change.base && mirror.terms[change.kept - 1] != log.at(change.kept).term) --change.kept;
  change.kept = std::max(change.kept, change.base);
  for (Index i = change.kept + 1; i <= last; ++i) change.entries.push_back(known_entry(log, i));
  if (change.base > committed_.size()) fail(id, "a snapshot of entries that nobody committed");
  mirror.change = std::move(change);
  mirror.flushing = true;
}

void Checker::take_change(ServerId id, Mirror& mirror, const Core& core) {
  const Change& change = mirror.change;
  if (core.stable() < change.kept + change.entries.size()) return fail(id, "a flush left entries unsynced");
  if (change.kept < mirror.terms.size()) {
    if (mirror.was_leader && core.role() == Role::leader) return fail(id, "leader append-only: a leader cut its log");
    if (change.kept < mirror.committed) return fail(id, "a committed entry was cut off");
  }
  if (change.kept == change.base) {  // what a snapshot replaced is as it was committed
    mirror.terms.resize(change.kept);
    for (Index i = 1; i <= change.kept; ++i) mirror.terms[i - 1] = committed_[i - 1].term;
  }
  mirror.terms.resize(change.kept);
  for (const KnownEntry& entry : change.entries) take_entry(id, mirror, entry);
}

Checker::KnownEntry Checker::known_entry(const EntryLog& log, Index index) {
  const Entry& entry = log.at(index);
  return KnownEntry{entry.term, *log.term_at(index - 1), entry.kind, digest_of(entry)};
}

const Checker::KnownEntry* Checker::known(Index index, Term term) const {
  if (index > known_.size()) return nullptr;
  const auto& versions = known_[index - 1];
  const auto found =
      std::find_if(versions.begin(), versions.end(), [&](const KnownEntry& version) { return version.term == term; });
  return found == versions.end() ? nullptr : &*found;
}

// Log matching: an index and a term name one entry and, by induction, all entries before it.
void Checker::take_entry(ServerId id, Mirror& mirror, const KnownEntry& entry) {
  const Term previous = mirror.terms.empty() ? 0 : mirror.terms.back();
  mirror.terms.push_back(entry.term);
  const Index index = mirror.terms.size();
  if (known_.size() < index) known_.resize(index);
  const KnownEntry* same = known(index, entry.term);
  if (same == nullptr) {
    known_[index - 1].push_back(entry);
    same = &entry;
  }
  if (same->digest != entry.digest || same->previous_term != previous) {
    fail(id, concat("log matching: another entry ", index, " of term ", entry.term));
  }
}

void Checker::take_commits(ServerId id, Mirror& mirror, const Core& core) {
  if (core.committed() < mirror.committed) return fail(id, "the commit index went back");
  if (core.committed() > mirror.terms.size()) return fail(id, "commits more than it has");
  for (Index i = mirror.committed + 1; i <= core.committed() && ok(); ++i) {
    if (i > committed_.size()) commit(id, core, i);
    if (committed_[i - 1].term != mirror.terms[i - 1]) {
      fail(id, concat("state machine safety: entry ", i, " was committed with another term"));
    }
  }
  mirror.committed = core.committed();
}

void Checker::commit(ServerId id, const Core& core, Index index) {
  const KnownEntry* entry = known(index, mirrors_[id].terms[index - 1]);
  if (entry == nullptr) return fail(id, concat("committed entry ", index, " out of nowhere"));
  const uint64_t before = committed_.empty() ? 0 : committed_.back().state;
  const uint64_t state = next_state(before, entry->kind, entry->digest);
  const uint64_t older = committed_.empty() ? 0 : committed_.back().configuration;
  const uint64_t configuration = entry->kind == EntryKind::configuration ? entry->digest : older;
  committed_.push_back(CommittedEntry{entry->term, core.term(), state, configuration});
  states_.insert(state);
  check_majority_has(id, core, index);
}

void Checker::check_majority_has(ServerId id, const Core& core, Index index) {
  const Term term = committed_[index - 1].term;
  const auto& voters = core.configuration().voters;
  const auto have = std::count_if(voters.begin(), voters.end(), [&](ServerId voter) {
    const auto& terms = mirrors_[voter].terms;
    return index <= terms.size() && terms[index - 1] == term;
  });
  if (static_cast<size_t>(have) < majority_of(voters.size())) {
    fail(id, concat("entry ", index, " was committed while only ", have, " of ", voters.size(), " had it on disk"));
  }
}

// 4.1: the newest configuration in the log is the one in use, committed or not.
void Checker::check_configuration(ServerId id, const Core& core) {
  const EntryLog& log = core.log();
  Index newest = log.last_index();
  while (newest > log.base() && log.at(newest).kind != EntryKind::configuration) --newest;
  if (newest == log.base()) newest = log.snapshot().index;
  const Configuration& expected =
      newest <= log.snapshot().index ? log.snapshot().configuration : *decode<Configuration>(log.at(newest).data);
  if (core.configuration() != expected) fail(id, "uses another configuration than the newest in its log");
}

// A snapshot carries the configuration that was in use at its index.
void Checker::check_snapshot(ServerId id, Mirror& mirror, const Core& core) {
  const SnapshotMark& snapshot = core.log().snapshot();
  if (!ok() || snapshot.index == mirror.snapshot) return;
  mirror.snapshot = snapshot.index;
  if (snapshot.index > committed_.size()) return fail(id, "a snapshot of entries that nobody committed");
  const Entry as_entry{0, 0, EntryKind::configuration, encode(snapshot.configuration)};
  if (digest_of(as_entry) != committed_[snapshot.index - 1].configuration) {
    fail(id, concat("the snapshot at ", snapshot.index, " carries another configuration"));
  }
}

void Checker::compare_in_full(ServerId id, const Mirror& mirror, const Core& core) {
  const EntryLog& log = core.log();
  for (Index i = log.base() + 1; i <= mirror.terms.size(); ++i) {
    const Entry& entry = log.at(i);
    const KnownEntry* before = known(i, entry.term);
    if (before == nullptr || before->digest != digest_of(entry) || mirror.terms[i - 1] != entry.term) {
      return fail(id, concat("entry ", i, " changed in place"));
    }
  }
}

void Checker::sent(const Message& message) {
  if (message.type != MessageType::append && message.type != MessageType::snapshot) return;
  const auto leader = leader_of_.find(message.term);
  if (leader != leader_of_.end() && leader->second == message.from) return;
  fail(message.from, concat("election safety: leads term ", message.term, " without being its leader"));
}

void Checker::applied(ServerId id, Index index, uint64_t state) {
  if (index > committed_.size()) return fail(id, concat("applied entry ", index, " that nobody committed"));
  if (committed_[index - 1].state != state) {
    fail(id, concat("state machine safety: another state after entry ", index));
  }
}

void Checker::restored(ServerId id, uint64_t state, uint64_t entries) {
  if (entries > 0 && !states_.contains(state)) fail(id, "restored a state that never was");
}

void Checker::read_answered(ServerId id, Index frontier, Index applied) {
  if (applied < frontier) {
    fail(id, concat("stale read: the state was that of entry ", applied, ", but entry ", frontier,
                    " was committed before the read began"));
  }
}

void Checker::told_leading(ServerId id, Term term, const Core& core) {
  if (core.role() != Role::leader || core.term() != term) return fail(id, "was told to lead and does not");
  if (core.log().term_at(core.applied()) != term) fail(id, "was told to lead before an entry of its term was applied");
}

void Checker::note_confirmed(int64_t note) {
  if (notes_kept_) quorum_note_ = std::max(quorum_note_, note);
}

void Checker::server_forgot_note() {
  notes_kept_ = false;
  quorum_note_ = INT64_MIN;
}

}  // namespace chainring::raft::testing
