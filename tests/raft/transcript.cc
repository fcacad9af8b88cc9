#include "tests/raft/transcript.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/text.h"
#include "tests/raft/core_group.h"

namespace chainring::raft::testing {
namespace {

using Words = std::vector<std::string_view>;

Words split(std::string_view text, char separator) {
  Words words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

uint64_t number(std::string_view text) { return parse_uint(text).value_or(0); }

std::vector<ServerId> ids(std::string_view list) {
  std::vector<ServerId> servers;
  for (const std::string_view id : split(list, ',')) servers.push_back(number(id));
  return servers;
}

std::string show(const std::vector<ServerId>& servers) {
  std::string text;
  for (const ServerId id : servers) append_text(text, text.empty() ? "" : ",", id);
  return text.empty() ? "nobody" : text;
}

std::string show(const Configuration& configuration) {
  std::string text = concat("voters ", show(configuration.voters));
  if (!configuration.learners.empty()) append_text(text, " learners ", show(configuration.learners));
  return text;
}

std::string show(const Entry& entry) {
  std::string text = concat(entry.index, "@", entry.term);
  switch (entry.kind) {
    case EntryKind::no_op:
      return text + " no-op";
    case EntryKind::configuration:
      return text + " " + show(decode<Configuration>(entry.data).value_or(Configuration{}));
    case EntryKind::data:
      return concat(text, " \"", entry.data, "\"");
  }
  return text;
}

std::string_view show(Role role) {
  constexpr std::array<std::string_view, 4> kNames = {"follower", "pre-candidate", "candidate", "leader"};
  return kNames[static_cast<size_t>(role)];
}

std::string show(const Message& m) {
  std::string text = concat(m.from, " -> ", m.to, " term ", m.term, ": ");
  const std::string place = concat(m.index, "@", m.log_term);
  switch (m.type) {
    case MessageType::append:
      append_text(text, "append after ", place, " commit ", m.commit);
      for (const Entry& entry : m.entries) append_text(text, " [", show(entry), "]");
      break;
    case MessageType::append_reply:
      if (m.refused) {
        append_text(text, "refuses after ", m.index, ", hint ", m.hint, "@", m.log_term);
      } else {
        append_text(text, "has ", m.index);
      }
      break;
    case MessageType::vote:
      append_text(text, m.transfer ? "vote by order" : "vote", "? last ", place);
      break;
    case MessageType::pre_vote:
      append_text(text, "pre-vote? last ", place);
      break;
    case MessageType::vote_reply:
      append_text(text, m.refused ? "no vote" : "vote");
      break;
    case MessageType::pre_vote_reply:
      append_text(text, m.refused ? "no pre-vote" : "pre-vote");
      break;
    case MessageType::snapshot:
      append_text(text, "snapshot ", place, " from ", m.offset, " \"", m.chunk, "\"", m.last_chunk ? " last" : "");
      break;
    case MessageType::snapshot_reply:
      append_text(text, "has ", m.offset, " bytes of snapshot ", m.index);
      break;
    case MessageType::timeout_now:
      text += "begin an election";
      break;
  }
  if (m.round > 0) append_text(text, " round ", m.round);
  if (m.note > 0) append_text(text, " note ", m.note);
  return text;
}

class Interpreter {
 public:
  std::string run(const Words& words) {
    out_.clear();
    const std::string_view verb = words[0];
    if (verb == "group") {
      make_group(words);
    } else if (group_ == nullptr) {
      out_ = "begin with a group\n";
    } else if (verb == "status") {
      for (const auto& [id, role] : roles_) status(id);
    } else if (verb == "settle") {
      settle(words);
    } else if (words.size() < 2) {
      out_ = "unknown command\n";
    } else {
      of_server(verb, number(words[1]), words);
    }
    return out_;
  }

 private:
  void make_group(const Words& words) {
    Limits limits;
    for (const std::string_view word : words) {
      const size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = word.substr(0, equals);
      const uint64_t value = number(word.substr(equals + 1));
      if (name == "append_bytes") limits.append_bytes_max = value;
      if (name == "in_flight") limits.appends_in_flight_max = static_cast<uint32_t>(value);
      if (name == "chunk_bytes") limits.snapshot_chunk_bytes = value;
      if (name == "lag") limits.lag_entries_max = value;
    }
    const uint64_t size = number(words.at(1));
    group_ = std::make_unique<CoreGroup>(size, limits);
    roles_.clear();
    for (ServerId id = 1; id <= size; ++id) roles_[id] = {Role::follower, 1};
  }

  void of_server(std::string_view verb, ServerId id, const Words& words) {
    const auto word = [&](size_t i) { return i < words.size() ? words[i] : std::string_view(); };
    if (verb == "blank") {
      group_->add_blank(id);
      roles_[id] = {Role::follower, 0};
    } else if (verb == "timeout") {
      group_->time_out(id);
      flush(id);
    } else if (verb == "elapse") {
      group_->elapse(id, static_cast<Micros>(number(word(2))) * kMicrosPerMilli);
      flush(id);
    } else if (verb == "flush") {
      flush(id);
    } else if (verb == "deliver") {
      deliver(id);
    } else if (verb == "drop") {
      for (const Message& m : group_->take(id)) append_text(out_, "lost: ", show(m), "\n");
    } else if (verb == "restart") {
      group_->restart(id);
      roles_[id] = {Role::follower, (*group_)[id].term()};
    } else if (verb == "compact") {
      group_->compact(id, number(word(2)));
    } else if (verb == "note") {
      (*group_)[id].set_note(static_cast<int64_t>(number(word(2))));
    } else {
      ask(verb, id, word(2), word(3));
    }
  }

  void ask(std::string_view verb, ServerId id, std::string_view argument, std::string_view second) {
    Core& core = (*group_)[id];
    Status status;
    if (verb == "propose") {
      status = core.propose(std::string(argument)).status();
    } else if (verb == "change") {
      status = core.propose_configuration({ids(argument), ids(second)}).status();
    } else if (verb == "read") {
      status = core.read(number(argument));
    } else if (verb == "transfer") {
      status = core.transfer_leadership(number(argument));
    } else {
      out_ += "unknown command\n";
    }
    if (!status) append_text(out_, "refused: ", status.message(), "\n");
  }

  void settle(const Words& words) {
    std::set<ServerId> cut;
    for (size_t i = 2; i < words.size(); ++i) cut.insert(number(words[i]));
    for (bool quiet = false; !quiet;) {
      quiet = true;
      for (const auto& [id, queue] : group_->queues()) {
        if (cut.contains(id)) group_->take(id);
        if (cut.contains(id) || (queue.empty() && !(*group_)[id].has_work())) continue;
        quiet = false;
        deliver(id);
      }
    }
  }

  void deliver(ServerId id) {
    for (const Message& m : group_->take(id)) (*group_)[id].step(m);
    flush(id);
  }

  void flush(ServerId id) {
    Core& core = (*group_)[id];
    const Flushed flushed = group_->flush(id);
    const Ready& ready = flushed.ready;
    const std::pair<Role, Term> now = {core.role(), core.term()};
    if (std::exchange(roles_[id], now) != now)
      append_text(out_, id, " is ", show(now.first), " of term ", now.second, "\n");
    if (ready.snapshot) append_text(out_, id, " restores ", ready.snapshot->index, "@", ready.snapshot->term, "\n");
    if (ready.hard_state) {
      append_text(out_, id, " saves term ", ready.hard_state->term, " vote ", ready.hard_state->vote, "\n");
    }
    for (const Entry& entry : flushed.persisted) append_text(out_, id, " stores ", show(entry), "\n");
    for (const Message& m : ready.messages) append_text(out_, show(m), "\n");
    for (const Entry& entry : flushed.applied) append_text(out_, id, " applies ", show(entry), "\n");
    for (const uint64_t read : flushed.reads.confirmed) append_text(out_, id, " may answer read ", read, "\n");
    for (const uint64_t read : flushed.reads.failed) append_text(out_, id, " lost read ", read, "\n");
  }

  void status(ServerId id) {
    Core& core = (*group_)[id];
    append_text(out_, id, ": ", show(core.role()), " term ", core.term(), " log ", core.log().base() + 1, "..",
                core.log().last_index(), " committed ", core.committed(), " ", show(core.configuration()));
    for (const auto& [peer, role] : roles_) {
      const Progress* progress = core.progress(peer);
      if (progress == nullptr) continue;
      constexpr std::array<std::string_view, 3> kStates = {"probe", "replicate", "snapshot"};
      append_text(out_, "; ", peer, " ", kStates[static_cast<size_t>(progress->state)], " ", progress->match);
    }
    out_ += "\n";
  }

  std::unique_ptr<CoreGroup> group_;
  std::map<ServerId, std::pair<Role, Term>> roles_;
  std::string out_;
};

}  // namespace

std::string replay_transcript(std::string_view file) {
  Interpreter interpreter;
  std::string out;
  for (std::string_view rest = file; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with('#')) append_text(out, line, "\n");
    if (line.empty() && !out.ends_with("\n\n")) out += "\n";
    if (!line.starts_with("> ")) continue;
    append_text(out, line, "\n", interpreter.run(split(line.substr(2), ' ')));
  }
  return out;
}

}  // namespace chainring::raft::testing
