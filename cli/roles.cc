#include "cli/roles.h"

#include "coordinator/coordinator.h"
#include "io/real_disk.h"
#include "node/node.h"
#include "router/router.h"

namespace chainring::cli {
namespace {

Result<std::unique_ptr<Process>> make_node(RoleParts parts) {
  return std::unique_ptr<Process>(
      new node::Node(parts.settings, parts.transport, parts.random, parts.log, std::move(parts.facts)));
}

Result<std::unique_ptr<Process>> make_router(RoleParts parts) {
  return std::unique_ptr<Process>(
      new router::Router(parts.settings, parts.transport, parts.random, parts.log, std::move(parts.facts)));
}

// A coordinator and the directory that it holds.
class DurableCoordinator final : public Process {
 public:
  DurableCoordinator(RoleParts parts, std::unique_ptr<io::RealDisk> disk)
      : disk_(std::move(disk)),
        coordinator_(parts.settings, parts.transport, *disk_, parts.random, parts.log, std::move(parts.facts)) {}

  Status start(Now now) override { return coordinator_.start(now); }
  void turn(Now now, std::span<const NetEvent> events) override { coordinator_.turn(now, events); }
  Micros next_wake() const override { return coordinator_.next_wake(); }
  void request_stop(Now now) override { coordinator_.request_stop(now); }
  bool finished() const override { return coordinator_.finished(); }
  Status outcome() const override { return coordinator_.outcome(); }
  void metrics(Now now, MetricsWriter& out) const override {
    coordinator_.metrics(now, out);
    out.histogram(Metric::coordinator_disk_syncs, disk_->sync_durations());
  }
  Status health(Now now) const override { return coordinator_.health(now); }

 private:
  std::unique_ptr<io::RealDisk> disk_;
  coordinator::Coordinator coordinator_;
};

Result<std::unique_ptr<Process>> make_coordinator(RoleParts parts) {
  auto disk = io::RealDisk::open_directory(std::string(parts.settings.text(Setting::dir)));
  if (!disk) return disk.status();
  return std::unique_ptr<Process>(new DurableCoordinator(std::move(parts), *std::move(disk)));
}

}  // namespace

RoleFactory factory_of(Role role) {
  switch (role) {
    case kNodeRole:
      return make_node;
    case kRouterRole:
      return make_router;
    default:
      CHECK(role == kCoordinatorRole, "`up` is a command, not a role");
      return make_coordinator;
  }
}

}  // namespace chainring::cli
