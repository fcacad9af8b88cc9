#include "tests/cli/fake_ring.h"

#include <filesystem>

#include "base/text.h"

namespace chainring::cli {
namespace {

std::string bulk(std::string_view text) { return concat('$', text.size(), "\r\n", text, "\r\n"); }

int number(std::string_view text) { return static_cast<int>(parse_int(text).value_or(0)); }

}  // namespace

std::set<std::string> FakeRing::nodes_with(std::string_view file) const {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(cluster_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('n') && std::filesystem::exists(entry.path() / file)) names.insert(name);
  }
  return names;
}

std::set<std::string> FakeRing::registered() const {
  std::set<std::string> names = nodes_with("pid");
  std::erase_if(names, [started = nodes_with("data/started")](const auto& name) { return !started.contains(name); });
  return names;
}

std::string FakeRing::answer(std::span<const std::string_view> words) {
  const std::string_view verb = words.size() < 2 ? "" : words[1];
  if (weights_.empty()) {
    for (const std::string& name : nodes_with("pid")) weights_[name] = 100;
  }
  if (verb == "STATUS") return bulk(status());
  if (verb == "RESHARD") {
    step();
    return bulk(reshard());
  }
  if (verb == "PLAN") return plan(words.subspan(2));
  if (verb == "PAUSE" || verb == "RESUME") {
    paused_ = verb == "PAUSE";
    return "+OK\r\n";
  }
  if (verb == "CANCEL") {
    undoing_ = !change_.empty();
    paused_ = false;
    return undoing_ ? "+OK\r\n" : "-ERR there is no change under way\r\n";
  }
  return begin(words.subspan(1));
}

std::string FakeRing::begin(std::span<const std::string_view> words) {
  const std::string name(words.size() < 2 ? "" : words[1]);
  if (!change_.empty()) return concat("-ERR another change is under way: ", change_, "\r\n");
  if (words[0] == "ADD" && !registered().contains(name)) return concat("-ERR no node '", name, "' has registered\r\n");
  if (words[0] == "ADD" && weights_.contains(name)) return concat("-ERR ", name, " is in the ring already\r\n");
  if ((words[0] == "REMOVE" || words[0] == "WEIGHT") && !weights_.contains(name)) {
    return concat("-ERR ", name, " is not in the ring\r\n");
  }
  change_ = to_lower(words[0]);
  for (const std::string_view word : words.subspan(1)) append_text(change_, ' ', word);
  left_ = kSlotsOfAMove;
  if (words[0] == "WEIGHT") weights_[name] = number(words[2]);
  if (words[0] == "COPIES") copies_ = number(words[1]);
  return "+OK\r\n";
}

void FakeRing::step() {
  if (change_.empty() || paused_) return;
  left_ += undoing_ ? kSlotsOfAStep : -kSlotsOfAStep;
  if (left_ > 0 && left_ < kSlotsOfAMove) return;
  const std::string name = change_.substr(change_.find(' ') + 1);
  if (!undoing_ && change_.starts_with("add ")) weights_[name] = 100;
  if (!undoing_ && change_.starts_with("remove ")) weights_.erase(name);
  change_.clear();
  left_ = 0;
  undoing_ = false;
}

std::string FakeRing::reshard() {
  const std::string_view state = change_.empty() ? "idle" : paused_ ? "paused" : "moving";
  return concat(R"({"state":")", state, R"(","change":")", change_, R"(","slots_total":)", kSlotsOfAMove,
                R"(,"slots_left":)", left_, R"(,"copying":4,"keys_copied":10,"bytes_copied":)",
                1000 * (kSlotsOfAMove - left_), R"(,"running_ms":2000,"trouble":""})");
}

std::string FakeRing::status() {
  std::string members;
  for (const std::string& name : registered()) {
    const auto in_ring = weights_.find(name);
    const bool is_in = in_ring != weights_.end();
    append_text(members, members.empty() ? "" : ",", R"({"name":")", name, R"(","state":")", is_in ? "up" : "joining",
                R"(","lease_ms":400,"slots":)", is_in ? 16384 : 0, R"(,"weight":)", is_in ? in_ring->second : 100, "}");
  }
  return concat(R"({"leader":"c1","copies":)", copies_, R"(,"members":[)", members,
                R"(],"slots":{"served":16384},"reshard":)", reshard(), "}");
}

std::string FakeRing::plan(std::span<const std::string_view> words) const {
  if (words.size() == 2 && words[0] == "ADD" && !registered().contains(std::string(words[1]))) {
    return concat("-ERR no node '", words[1], "' has registered\r\n");
  }
  return bulk(
      R"({"moves":12288,"slots":16384,"heads":4096,"least":12288,"copies_before":3,"copies_after":3,"members":[)"
      R"({"name":"n1","weight":100,"slots_before":16384,"slots_after":12288,"heads_before":5462,"heads_after":4096,)"
      R"("receives":0,"gives":4096},)"
      R"({"name":"n4","weight":100,"slots_before":0,"slots_after":12288,"heads_before":0,"heads_after":4096,)"
      R"("receives":12288,"gives":0}]})");
}

}  // namespace chainring::cli
