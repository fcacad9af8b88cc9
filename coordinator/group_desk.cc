#include "coordinator/group_desk.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "protocol/reply.h"

namespace chainring::coordinator {
namespace {

std::string hint_of(const GroupLinks::Other& sought) {
  if (!sought.trouble.empty()) return sought.trouble;
  if (!sought.link->up()) {
    const std::string_view trouble = sought.link->trouble();
    return trouble.empty() ? "no connection" : std::string(trouble);
  }
  return sought.server == raft::kNobody ? "it does not answer" : "it has not joined this cluster";
}

// What a coordinator that has answered is to be on the roster.
ListedCoordinator listed_of(const GroupLinks::Other& sought) {
  const Address& place = sought.link->address();
  return {sought.name, sought.server, place.host, place.port, Standing::joining};
}

}  // namespace

void GroupDesk::answer(const Waiting& waiting, std::string_view error) {
  std::string body;
  protocol::ReplyWriter writer(body, waiting.resp);
  if (error.empty()) {
    writer.simple("OK");
  } else {
    writer.error(error);
  }
  sink_.answer(waiting.origin, protocol::ReplyStatus::done, body);
}

void GroupDesk::wait(Waiting waiting) {
  if (waiting_.size() >= kWaitingMax) {
    return answer(waiting, "ERR too many wait for a change of the coordinators; see RING STATUS");
  }
  waiting_.push_back(std::move(waiting));
}

// Those who wait for the disk id of `name`.
void GroupDesk::answer_all(std::string_view name, std::string_view error) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (!waiting.adds || waiting.disk_id != 0 || waiting.name != name) return false;
    answer(waiting, error);
    return true;
  });
}

void GroupDesk::add(const Origin& origin, protocol::RespVersion resp, const Settings::NamedAddress& whom,
                    const GroupView& view, Micros now) {
  Waiting waiting{.origin = origin, .resp = resp, .name = whom.name, .adds = true, .give_up_at = now + kTellAfter};
  const GroupLinks::Other* sought = links_.sought();
  if (sought != nullptr && sought->name != whom.name) {
    return answer(waiting, concat("ERR coordinator ", sought->name, " is being added; wait until that is done"));
  }
  // Judged again when its disk is known; what cannot be at all need not be looked for.
  const bool known = find_name(view.roster, whom.name) != nullptr;
  if (Status possible = check_add(view, whom.name); !known && !possible.ok()) {
    return answer(waiting, possible.message());
  }
  if (sought == nullptr || sought->places.front() != Address{whom.host, whom.port}) {
    links_.seek(whom, now);
    seek_until_ = now + kSeekFor;
  }
  wait(std::move(waiting));
}

void GroupDesk::remove(const Origin& origin, protocol::RespVersion resp, std::string_view name, const GroupView& view,
                       Micros now) {
  Waiting waiting{.origin = origin, .resp = resp, .name = std::string(name), .give_up_at = now + kTellAfter};
  const std::vector<std::string>& removed = view.roster.removed;
  const bool done =
      find_name(view.roster, name) == nullptr && std::find(removed.begin(), removed.end(), name) != removed.end();
  if (done) return answer(waiting, {});
  if (const auto possible = remove_from(view, name); !possible.ok()) {
    return answer(waiting, possible.status().message());
  }
  wait(std::move(waiting));
}

void GroupDesk::stop_seeking() {
  links_.stop_seeking();
  seek_until_ = kNever;
}

void GroupDesk::resign() {
  stop_seeking();
  for (const Waiting& waiting : std::exchange(waiting_, {})) {
    sink_.answer(waiting.origin, protocol::ReplyStatus::unsettled, {});  // the next leader may go on with it
  }
}

Micros GroupDesk::next_tick() const {
  Micros next = seek_until_;
  for (const Waiting& waiting : waiting_) next = std::min(next, waiting.give_up_at);
  return next;
}

// Once who is looked for has told its disk id, and follows this cluster, it is put on the roster.
GroupStep GroupDesk::take_up(const GroupView& view, Micros now) {
  const GroupLinks::Other* sought = links_.sought();
  if (sought == nullptr) {
    seek_until_ = kNever;  // it is on the roster now
    return {};
  }
  const std::string name = sought->name;
  if (!sought->founded || sought->server == raft::kNobody) {
    if (now < seek_until_) return {};
    const Address& place = sought->places.front();
    answer_all(name, concat("ERR no coordinator ", name, " to add at ", place.host, ":", place.port, ": ",
                            hint_of(*sought), "; start it there with an empty directory, then try again"));
    stop_seeking();
    return {};
  }
  const ListedCoordinator wanted = listed_of(*sought);
  Result<Roster> roster = add_to(view, wanted);
  if (!roster.ok()) answer_all(name, roster.status().message());
  for (Waiting& waiting : waiting_) {
    if (waiting.adds && waiting.name == name) waiting.disk_id = wanted.disk_id;
  }
  if (roster.ok() && *roster != view.roster) return {GroupStep::Kind::record, wanted.disk_id, {}, *std::move(roster)};
  stop_seeking();
  return {};
}

GroupStep GroupDesk::record_removal(const GroupView& view) {
  for (size_t i = 0; i < waiting_.size();) {
    Waiting& waiting = waiting_[i];
    const ListedCoordinator* listed = waiting.adds ? nullptr : find_name(view.roster, waiting.name);
    if (listed != nullptr && listed->standing == Standing::leaving) waiting.recorded = true;
    if (listed == nullptr || waiting.recorded) {
      ++i;
      continue;
    }
    Result<Roster> roster = remove_from(view, waiting.name);
    if (roster.ok()) return {GroupStep::Kind::record, listed->disk_id, {}, *std::move(roster)};
    answer(waiting, roster.status().message());
    waiting_.erase(waiting_.begin() + static_cast<ptrdiff_t>(i));
  }
  return {};
}

void GroupDesk::settle(const GroupView& view, Micros now) {
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    std::optional<std::string> error;
    if (waiting.adds && waiting.disk_id != 0) {
      const ListedCoordinator* listed = find_disk(view.roster, waiting.disk_id);
      if (listed == nullptr || listed->standing == Standing::leaving) {
        error = concat("ERR coordinator ", waiting.name, " was removed meanwhile");
      } else if (listed->standing == Standing::member && at_rest(view)) {
        error = std::string();
      }
    } else if (!waiting.adds) {
      const ListedCoordinator* listed = find_name(view.roster, waiting.name);
      if (listed == nullptr) error = std::string();
      if (listed != nullptr && waiting.recorded && listed->standing != Standing::leaving) {
        error = concat("ERR coordinator ", waiting.name, " was added again meanwhile");
      }
    }
    if (!error && now >= waiting.give_up_at) {
      error = concat("ERR coordinator ", waiting.name, waiting.adds ? " has not caught up yet: " : " is still needed: ",
                     "the change goes on by itself, RING STATUS shows how far it is; RING COORDINATOR ",
                     waiting.adds ? "REMOVE" : "ADD", " undoes it");
    }
    if (error) answer(waiting, *error);
    return error.has_value();
  });
}

GroupStep GroupDesk::advance(const GroupView& view, Micros now) {
  if (GroupStep step = take_up(view, now); step.kind != GroupStep::Kind::none) return step;
  if (GroupStep step = record_removal(view); step.kind != GroupStep::Kind::none) return step;
  settle(view, now);
  return next_step(view);
}

}  // namespace chainring::coordinator
