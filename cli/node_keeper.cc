#include "cli/node_keeper.h"

#include <algorithm>

#include "base/text.h"
#include "cli/probe.h"
#include "cli/ring_change.h"
#include "cli/system.h"
#include "cli/up_report.h"

namespace chainring::cli {
namespace {

constexpr Micros kAskEvery = kMicrosPerSecond / 2;

std::string bulk(std::string_view text) { return concat('$', text.size(), "\r\n", text, "\r\n"); }

// Messages may have several lines; an error reply has one.
std::string error(std::string_view message) {
  std::string text = concat("-ERR ", message);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text + "\r\n";
}

std::string error(const Status& status) { return error(status.message()); }

}  // namespace

std::string memory_path(const std::string& directory) { return directory + "/cluster.toml"; }

Fate fate_of(const StatusReport& report, std::string_view node) {
  const RingChange removal{RingChange::Kind::remove, std::string(node), 0};
  if (is_under_way(removal, report.reshard)) return Fate::wait;
  return is_in_effect(removal, report) ? Fate::stop : Fate::stay;
}

NodeKeeper::NodeKeeper(LocalCluster& cluster, const UpCommand& up, std::string directory, ClusterShape shape, Say say,
                       Say announce)
    : cluster_(cluster),
      up_(up),
      directory_(std::move(directory)),
      shape_(std::move(shape)),
      say_(std::move(say)),
      announce_(std::move(announce)) {}

std::string NodeKeeper::answer(std::span<const std::string_view> words, Micros now) {
  const auto is = [&](size_t i, std::string_view word) { return equals_ignoring_case(words[i], word); };
  if (words.size() == 1 && is(0, "CLUSTER")) return bulk(describe());
  if (words.size() == 2 && is(0, "NODE") && is(1, "ADD")) {
    const Result<std::string> name = add_node(now);
    return name ? bulk(*name) : error(name.status());
  }
  if (words.size() == 3 && is(0, "NODE") && is(1, "RETIRE")) {
    const Status retired = retire(words[2]);
    return retired.ok() ? "+OK\r\n" : error(retired);
  }
  return error("expected CLUSTER, NODE ADD or NODE RETIRE name");
}

Result<ClusterShape> NodeKeeper::one_more() const {
  for (int number = 1; number <= kNodesMax; ++number) {
    if (std::find(shape_.nodes.begin(), shape_.nodes.end(), number) != shape_.nodes.end()) continue;
    const PlannedProcess node = planned_node(number, shape_, directory_);
    const bool fits = node.port > shape_.port && node.port + kHttpPortOffset <= 65535;  // else it began anew at 0
    if (!fits || cluster_.has(node.name) || !cluster_.check_ports(node).ok()) continue;
    ClusterShape shape = shape_;
    shape.nodes.insert(std::upper_bound(shape.nodes.begin(), shape.nodes.end(), number), number);
    return shape;
  }
  return Status(ErrorCode::resource_exhausted,
                concat("there is no free name and port for one more of at most ", kNodesMax, " nodes"));
}

Result<std::string> NodeKeeper::add_node(Micros now) {
  const Result<ClusterShape> shape = one_more();
  if (!shape) return shape.status();
  const auto added = std::mismatch(shape_.nodes.begin(), shape_.nodes.end(), shape->nodes.begin()).second;
  const PlannedProcess node = planned_node(*added, shape_, directory_);
  const ClusterShape before = shape_;
  if (Status remembered = remember(*shape); !remembered.ok()) return remembered;
  if (Status started = cluster_.add_node(node, up_, now); !started.ok()) {
    static_cast<void>(remember(before));
    return started;
  }
  announce_(endpoint_line(cluster_.plan(), node));
  return node.name;
}

Status NodeKeeper::retire(std::string_view name) {
  const std::set<std::string> retired{std::string(name)};
  const ClusterShape rest = shape_without(retired);
  if (rest.nodes.size() == shape_.nodes.size()) {
    return Status(ErrorCode::not_found, concat("'", name, "' is no node that runs here"));
  }
  if (rest.nodes.empty()) return Status(ErrorCode::invalid_argument, concat(name, " is the last node"));
  leaving_.insert(std::string(name));
  ask_at_ = 0;
  return {};
}

std::string NodeKeeper::describe() const {
  UpReport report;
  report.host = cluster_.plan().host;
  for (const PlannedProcess& process : cluster_.plan().processes) {
    if (process.role == kRouterRole) report.routers.push_back(process.port);
    if (process.role == kCoordinatorRole) report.coordinators.push_back(process.port);
    if (process.role == kNodeRole) report.nodes.push_back(process.name);
  }
  return to_json(report);
}

Status NodeKeeper::remember(ClusterShape shape) {
  if (Status written = write_file(memory_path(directory_), to_toml(shape)); !written.ok()) return written;
  shape_ = std::move(shape);
  return {};
}

ClusterShape NodeKeeper::shape_without(const std::set<std::string>& names) const {
  ClusterShape shape = shape_;
  std::erase_if(shape.nodes, [&](int number) { return names.contains(planned_node(number, shape_, directory_).name); });
  return shape;
}

void NodeKeeper::tend(Micros now) {
  std::erase_if(stopping_, [&](const std::string& name) {
    if (cluster_.has(name)) return false;
    say_(concat("node ", name, " has left the ring and was stopped"));
    return true;
  });
  if (leaving_.empty() || now < ask_at_) return;
  ask_at_ = now + kAskEvery;
  const Result<StatusReport> report =
      ring_status(cluster_.plan(), std::string(up_.settings.text(Setting::requirepass)));
  if (!report) return;
  for (const std::string& name : std::set<std::string>(leaving_)) {
    const Fate fate = fate_of(*report, name);
    if (fate == Fate::wait) continue;
    leaving_.erase(name);
    if (fate == Fate::stay) continue;
    if (Status remembered = remember(shape_without({name})); !remembered.ok()) {
      say_(concat("node ", name, " will be started again the next time: ", remembered.message()));
    }
    cluster_.stop_node(name, now);
    stopping_.insert(name);
  }
}

void NodeKeeper::remember_for_next_start() {
  ClusterShape shape = shape_without(leaving_);
  const Result<StatusReport> report =
      ring_status(cluster_.plan(), std::string(up_.settings.text(Setting::requirepass)));
  if (report && report->copies > 0) shape.copies = static_cast<int>(report->copies);
  if (shape == shape_) return;
  if (Status remembered = remember(std::move(shape)); !remembered.ok()) {
    say_(concat("the change of the cluster's shape is forgotten: ", remembered.message()));
  }
}

}  // namespace chainring::cli
