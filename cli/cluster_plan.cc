#include "cli/cluster_plan.h"

#include <numeric>
#include <set>

#include "base/text.h"
#include "cli/config_file.h"
#include "cli/toml_text.h"

namespace chainring::cli {
namespace {

constexpr int kNodePortOffset = 21;  // of a node with the number 0
constexpr int kCoordinatorPortOffset = -78;

// What cluster.toml has beside the nodes, under the names of the options.
struct ShapeField {
  std::string_view name;
  int64_t (*get)(const ClusterShape&);
  void (*set)(ClusterShape&, int64_t);
};
constexpr ShapeField kShapeFields[] = {
    {"coordinators", [](const ClusterShape& s) -> int64_t { return s.coordinators; },
     [](ClusterShape& s, int64_t n) { s.coordinators = static_cast<int>(n); }},
    {"routers", [](const ClusterShape& s) -> int64_t { return s.routers; },
     [](ClusterShape& s, int64_t n) { s.routers = static_cast<int>(n); }},
    {"copies", [](const ClusterShape& s) -> int64_t { return s.copies; },
     [](ClusterShape& s, int64_t n) { s.copies = static_cast<int>(n); }},
    {"port", [](const ClusterShape& s) -> int64_t { return s.port; },
     [](ClusterShape& s, int64_t n) { s.port = static_cast<uint16_t>(n); }},
};
constexpr int64_t kShapeNumberMax = 65535;
constexpr std::string_view kNodesKey = "nodes";

const ShapeField* find_field(std::string_view name) {
  for (const ShapeField& field : kShapeFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

// What the command line or its file asks for under this name.
std::optional<int64_t> asked_for(const UpCommand& up, std::string_view name) {
  if (name == "coordinators") return up.coordinators;
  if (name == "routers") return up.routers;
  const SettingSpec* spec = find_setting(name);
  CHECK(spec != nullptr, "the other fields of a shape are settings");
  if (!up.given.contains(spec->id)) return std::nullopt;
  return up.settings.number(spec->id);
}

std::string node_name(int number) { return concat('n', number); }

// The numbers of ["n1", "n2"]; nothing when that is not what it says.
std::optional<std::vector<int>> node_list(const TomlEntry::Value& value) {
  const auto* names = std::get_if<std::vector<std::string>>(&value);
  if (names == nullptr || names->empty()) return std::nullopt;
  std::vector<int> numbers;
  for (const std::string& name : *names) {
    const std::optional<int64_t> number = name.starts_with('n') ? parse_int(name.substr(1)) : std::nullopt;
    if (!number || *number < 1 || *number > kNodesMax) return std::nullopt;
    if (!numbers.empty() && *number <= numbers.back()) return std::nullopt;
    numbers.push_back(static_cast<int>(*number));
  }
  return numbers;
}

// Takes one line of cluster.toml; whether it is one that to_toml() writes.
bool take(const TomlEntry& entry, ClusterShape& shape) {
  if (entry.key == kNodesKey) {
    std::optional<std::vector<int>> nodes = node_list(entry.value);
    if (nodes) shape.nodes = *std::move(nodes);
    return nodes.has_value();
  }
  const ShapeField* field = find_field(entry.key);
  const auto* number = std::get_if<int64_t>(&entry.value);
  if (field == nullptr || number == nullptr || *number < 1 || *number > kShapeNumberMax) return false;
  field->set(shape, *number);
  return true;
}

// How a running cluster gets the size that was asked for; empty when only another directory helps.
std::string_view way_to(std::string_view field) {
  if (field == "nodes") return "; to change that, start it and see `chainring reshard add` and `remove`,";
  if (field == "copies") return "; to change that, start it and see `chainring reshard copies`,";
  return "; leave the option out,";
}

class Planner {
 public:
  Planner(ClusterPlan& plan, const std::string& directory) : plan_(plan), directory_(directory) {}

  // `count` processes of a role from `port` on, with ports that go up or down by `step`.
  void add(Role role, std::string_view letter, int count, int port, int step) {
    for (int i = 0; i < count; ++i, port += step) add(role, concat(letter, i + 1), port);
  }
  void add(Role role, const std::string& name, int port) {
    ok_ = ok_ && port > 0 && port + kHttpPortOffset <= 65535 && taken_.insert(port).second &&
          taken_.insert(port + kHttpPortOffset).second;
    plan_.processes.push_back({role, name, static_cast<uint16_t>(port), concat(directory_, '/', name)});
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  ClusterPlan& plan_;
  const std::string& directory_;
  std::set<int> taken_;
  bool ok_ = true;
};

std::string coordinator_list(const ClusterPlan& plan) {
  const bool v6 = plan.host.find(':') != std::string::npos;
  std::string list;
  for (const PlannedProcess& process : plan.processes) {
    if (process.role != kCoordinatorRole) continue;
    append_text(list, list.empty() ? "" : ",", process.name, '=', v6 ? "[" : "", plan.host, v6 ? "]:" : ":",
                process.port);
  }
  return list;
}

// Settings of a child that `up` decides itself.
bool is_planned(Setting id) {
  return id == Setting::name || id == Setting::port || id == Setting::dir || id == Setting::logfile ||
         id == Setting::coordinators || id == Setting::initial_nodes || id == Setting::copies || id == Setting::bind;
}

}  // namespace

std::vector<int> node_numbers(int count) {
  std::vector<int> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

std::string to_toml(const ClusterShape& shape) {
  std::string text = "# The cluster that lives in this directory. Written by `chainring up`.\n";
  std::string names;
  for (const int number : shape.nodes) append_text(names, names.empty() ? "\"" : ", \"", node_name(number), '"');
  append_text(text, kNodesKey, " = [", names, "]\n");
  for (const ShapeField& field : kShapeFields) append_text(text, field.name, " = ", field.get(shape), '\n');
  return text;
}

Result<ClusterShape> shape_from_toml(std::string_view text, const std::string& file) {
  const Result<std::vector<TomlEntry>> entries = parse_toml(text, file);
  if (!entries) return entries.status();
  ClusterShape shape;
  for (const TomlEntry& entry : *entries) {
    if (take(entry, shape)) continue;
    return Status(ErrorCode::corrupt, concat(file, ':', entry.line, ": '", entry.key,
                                             "' is not what `chainring up` wrote here; put it back, or give another "
                                             "directory with --dir"));
  }
  if (entries->size() != std::size(kShapeFields) + 1) {  // TOML has each key once
    return Status(ErrorCode::corrupt,
                  concat(file, ":1: lines are missing; put them back, or give another directory with --dir"));
  }
  return shape;
}

Result<ClusterShape> settle_shape(const UpCommand& up, const std::optional<ClusterShape>& remembered) {
  ClusterShape shape = remembered.value_or(ClusterShape{});
  std::string conflicts;
  const auto contradict = [&](std::string_view name, int64_t asked, int64_t has) {
    append_text(conflicts, conflicts.empty() ? "" : "\n", "--", name, ' ', asked, ": the cluster in ",
                up.settings.text(Setting::dir), " has ", has, way_to(name), " or give another directory with --dir");
  };
  if (up.nodes) {
    const auto has = static_cast<int>(shape.nodes.size());
    if (!remembered) {
      shape.nodes = node_numbers(*up.nodes);
    } else if (*up.nodes != has) {
      contradict(kNodesKey, *up.nodes, has);
    }
  }
  for (const ShapeField& field : kShapeFields) {
    const std::optional<int64_t> asked = asked_for(up, field.name);
    if (!asked) continue;
    if (remembered && *asked != field.get(*remembered)) contradict(field.name, *asked, field.get(*remembered));
    field.set(shape, *asked);
  }
  if (!conflicts.empty()) return Status(ErrorCode::invalid_argument, conflicts);
  return shape;
}

PlannedProcess planned_node(int number, const ClusterShape& shape, const std::string& directory) {
  return {kNodeRole, node_name(number), static_cast<uint16_t>(shape.port + kNodePortOffset + number),
          concat(directory, '/', node_name(number))};
}

std::string_view role_name(Role role) {
  switch (role) {
    case kNodeRole:
      return "node";
    case kRouterRole:
      return "router";
    case kCoordinatorRole:
      return "coordinator";
    case kUpCommand:
      break;
  }
  return "up";
}

std::string endpoint_line(const ClusterPlan& plan, const PlannedProcess& process) {
  return concat(role_name(process.role), ' ', process.name, ' ', plan.host, ':', process.port);
}

Result<ClusterPlan> plan_cluster(const ClusterShape& shape, const Settings& up, const std::string& directory) {
  ClusterPlan plan;
  plan.shape = shape;
  plan.bind = up.text(Setting::bind);
  plan.host = up.announced_host();
  Planner planner(plan, directory);
  planner.add(kCoordinatorRole, "c", shape.coordinators, shape.port + kCoordinatorPortOffset, 1);
  for (const int number : shape.nodes) {
    planner.add(kNodeRole, node_name(number), shape.port + kNodePortOffset + number);
  }
  planner.add(kRouterRole, "r", shape.routers, shape.port, -1);
  if (!planner.ok()) {
    return Status(ErrorCode::invalid_argument,
                  concat("--port ", shape.port, ": ", shape.nodes.size(), " nodes from port + ", kNodePortOffset + 1,
                         ", ", shape.coordinators, " coordinators from port - ", -kCoordinatorPortOffset, " and ",
                         shape.routers, " routers down from port do not fit; choose another port or fewer processes"));
  }
  return plan;
}

std::string config_text(const ClusterPlan& plan, const PlannedProcess& process, const UpCommand& up) {
  std::string text = concat("# ", process.name, " of a local cluster. Written by `chainring up` at every start.\n");
  const auto add = [&](Setting id, std::string_view value) {
    const SettingSpec& spec = setting_table()[static_cast<size_t>(id)];
    if ((spec.roles & process.role) != 0) text += config_line(spec, value);
  };
  add(Setting::name, process.name);
  add(Setting::bind, plan.bind);
  add(Setting::port, std::to_string(process.port));
  add(Setting::coordinators, coordinator_list(plan));
  add(Setting::dir, concat(process.directory, "/data"));
  add(Setting::logfile, concat(process.directory, "/log"));
  add(Setting::initial_nodes, std::to_string(plan.shape.nodes.size()));
  add(Setting::copies, std::to_string(plan.shape.copies));
  for (const Setting id : up.given) {
    if (!is_planned(id)) add(id, up.settings.text(id));
  }
  return text;
}

}  // namespace chainring::cli
