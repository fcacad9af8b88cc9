// How a group begins, for every way in which the others may answer (R2), and the identity on disk.

#include "coordinator/founding.h"
#include "base/random.h"
#include "coordinator/identity.h"
#include "tests/support/sim_disk.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

using Decision = Founding::Decision;
using testing::SimDisk;

protocol::Probe probe(std::string name, uint64_t disk_id, uint64_t cluster_id = 0) {
  return {std::move(name), disk_id, cluster_id != 0, cluster_id, "", 0, {}};
}

// Of a coordinator of a group that these have founded.
protocol::Probe founded_probe(std::string name, uint64_t disk_id, const Founders& founders) {
  protocol::Probe founded = probe(std::move(name), disk_id, cluster_id_of(founders));
  founded.list = founding_roster(founders, {});
  return founded;
}

TEST_CASE("Founding.decide: one coordinator alone is a group") {
  const Founding founding("c1", 11, {"c1"});
  REQUIRE(founding.decide() == Decision::found);
  REQUIRE(founding.founders() == Founders{{"c1", 11}});
}

TEST_CASE("Founding.decide: a group is founded when all answer that they are empty, and all compute the same") {
  Founding first("c1", 11, {"c1", "c2", "c3"}), second("c2", 22, {"c3", "c1", "c2"});
  REQUIRE(first.decide() == Decision::wait);
  first.heard(probe("c2", 22));
  REQUIRE(first.decide() == Decision::wait);
  REQUIRE(first.missing() == std::vector<std::string>{"c3"});
  first.heard(probe("c3", 33));
  REQUIRE(first.decide() == Decision::found);
  second.heard(probe("c3", 33));
  second.heard(probe("c1", 11));
  REQUIRE(second.decide() == Decision::found);
  REQUIRE(cluster_id_of(first.founders()) == cluster_id_of(second.founders()));
  REQUIRE(cluster_id_of(first.founders()) != 0);
}

TEST_CASE("Founding.decide: an empty one completes a founding that others have finished, whoever is missing") {
  const Founders founders = {{"c1", 11}, {"c2", 22}, {"c3", 33}};
  Founding founding("c1", 11, {"c1", "c2", "c3"});
  founding.heard(founded_probe("c2", 22, founders));
  REQUIRE(founding.decide() == Decision::found);
  REQUIRE(founding.founders() == founders);
}

TEST_CASE("Founding.decide: a blank disk of a known name never votes as if it had never voted") {
  const Founders founders = {{"c1", 99}, {"c2", 22}, {"c3", 33}};  // c1 had another disk then
  Founding founding("c1", 11, {"c1", "c2", "c3"});
  founding.heard(probe("c3", 33));
  founding.heard(founded_probe("c2", 22, founders));
  REQUIRE(founding.decide() == Decision::join_blank);
  REQUIRE(founding.cluster_heard() == cluster_id_of(founders));
}

TEST_CASE("Founding.decide: a founder whose group has changed since joins it blank, as its log will tell") {
  Founding founding("c1", 11, {"c1", "c2"});
  protocol::Probe changed = founded_probe("c2", 22, {{"c1", 11}, {"c2", 22}});
  changed.list.coordinators.push_back({"c4", 44, "127.0.0.1", 7304, Standing::member});
  founding.heard(changed);
  REQUIRE(founding.decide() == Decision::join_blank);
}

TEST_CASE("Founding.decide: one that is not configured founds nothing and joins what there is") {
  Founding founding("c4", 44, {"c1", "c2"});
  founding.heard(probe("c1", 11));
  founding.heard(probe("c2", 22));
  REQUIRE_FALSE(founding.listed());
  REQUIRE(founding.decide() == Decision::wait);
  founding.heard(founded_probe("c2", 22, {{"c1", 11}, {"c2", 22}}));
  REQUIRE(founding.decide() == Decision::join_blank);
}

TEST_CASE("Founding.decide: names that are not configured, and disks that were copied, found nothing") {
  Founding founding("c1", 11, {"c1", "c2"});
  founding.heard(probe("c9", 22));
  founding.heard(probe("c2", 0));
  REQUIRE(founding.decide() == Decision::wait);
  founding.heard(probe("c2", 11));
  REQUIRE(founding.decide() == Decision::wait);
  founding.heard(probe("c2", 22));  // its operator has seen to it
  REQUIRE(founding.decide() == Decision::found);
}

TEST_CASE("cluster_id_of: other names or disks are another cluster") {
  const uint64_t cluster = cluster_id_of({{"c1", 11}, {"c2", 22}});
  REQUIRE(cluster != cluster_id_of({{"c1", 11}, {"c2", 23}}));
  REQUIRE(cluster != cluster_id_of({{"c1", 11}, {"d2", 22}}));
  REQUIRE(cluster != cluster_id_of({{"c1", 11}}));
}

TEST_CASE("load_identity: drawn once, the same ever after") {
  SimDisk disk;
  SeededRandom random(3);
  const Result<Identity> first = load_identity(disk, random, "c1");
  REQUIRE(first.ok());
  REQUIRE(first->disk_id != 0);
  disk.crash(random);
  const Result<Identity> second = load_identity(disk, random, "c1");
  REQUIRE(second.ok());
  REQUIRE(second->disk_id == first->disk_id);
}

TEST_CASE("load_identity: another coordinator's directory is refused") {
  SimDisk disk;
  SeededRandom random(3);
  REQUIRE(load_identity(disk, random, "c1").ok());
  const Result<Identity> other = load_identity(disk, random, "c2");
  REQUIRE_FALSE(other.ok());
  REQUIRE(other.status().message().find("belongs to coordinator 'c1'") != std::string_view::npos);
}

TEST_CASE("load_identity: a damaged file is refused, not replaced") {
  SimDisk disk;
  SeededRandom random(3);
  REQUIRE(load_identity(disk, random, "c1").ok());
  const std::string whole = disk.contents("identity");
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    disk.replace_contents("identity", damaged);
    REQUIRE_FALSE(load_identity(disk, random, "c1").ok());
  }
}

TEST_CASE("save_identity: a crash at any moment leaves the identity before or the one after") {
  for (uint64_t cut = 0; cut < 12; ++cut) {
    CAPTURE(cut);
    SimDisk disk;
    SeededRandom random(cut);
    Identity identity = *load_identity(disk, random, "c1");
    const uint64_t disk_id = identity.disk_id;
    identity.cluster_id = 5;
    identity.founders = {{"c1", disk_id}};
    disk.cut_power_after(cut);
    const bool saved = save_identity(disk, identity).ok();
    disk.crash(random);
    const Result<Identity> read = load_identity(disk, random, "c1");
    REQUIRE(read.ok());
    REQUIRE(read->disk_id == disk_id);
    if (saved) REQUIRE(read->cluster_id == 5);
    if (read->cluster_id == 5) REQUIRE(read->founders == identity.founders);
    REQUIRE(save_identity(disk, identity).ok());
  }
}

TEST_CASE("load_identity: a disk that cannot be written ends it") {
  SimDisk disk;
  SeededRandom random(3);
  disk.fail_sync_after(0);
  REQUIRE_FALSE(load_identity(disk, random, "c1").ok());
}

}  // namespace
}  // namespace chainring::coordinator
