#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/io/support.h"

namespace chainring::io {
namespace {

std::unique_ptr<RealDisk> open_disk(const std::string& directory) {
  Result<std::unique_ptr<RealDisk>> disk = RealDisk::open_directory(directory);
  REQUIRE(disk.ok());
  return *std::move(disk);
}

}  // namespace

TEST_CASE("RealDisk: what is appended and synced is read back, also after opening again") {
  const TempDirectory directory;
  const std::string big = pattern(3 << 20);
  {
    const auto disk = open_disk(directory.path() + "/made/below");
    Result<std::unique_ptr<DiskFile>> file = disk->open("log");
    REQUIRE(file.ok());
    REQUIRE((*file)->append("head ").ok());
    REQUIRE((*file)->append(big).ok());
    REQUIRE((*file)->sync().ok());
    REQUIRE(disk->sync_directory().ok());
    CHECK(*(*file)->size() == big.size() + 5);
  }
  const auto disk = open_disk(directory.path() + "/made/below");
  Result<std::unique_ptr<DiskFile>> file = disk->open("log");
  REQUIRE(file.ok());
  REQUIRE((*file)->append(" tail").ok());
  CHECK((*disk->read("log") == "head " + big + " tail"));
  REQUIRE((*file)->truncate(4).ok());
  CHECK(*disk->read("log") == "head");
  REQUIRE((*file)->append("er").ok());  // at the new end
  CHECK(*disk->read("log") == "header");
}

TEST_CASE("RealDisk: list, rename and remove") {
  const TempDirectory directory;
  const auto disk = open_disk(directory.path());
  for (const char* name : {"b", "a", "c"}) REQUIRE((*disk->open(name))->append(name).ok());
  std::filesystem::create_directory(directory.path() + "/below");
  CHECK((*disk->list() == std::vector<std::string>{"a", "b", "c"}));  // files only, without the lock
  REQUIRE(disk->rename("c", "a").ok());
  CHECK(*disk->read("a") == "c");
  REQUIRE(disk->remove("b").ok());
  CHECK((*disk->list() == std::vector<std::string>{"a"}));
  CHECK(disk->remove("b").code() == ErrorCode::not_found);
  CHECK(disk->rename("b", "d").code() == ErrorCode::not_found);
  CHECK(disk->read("b").status().code() == ErrorCode::not_found);
  CHECK(disk->read("b").status().message().find(directory.path() + "/b") != std::string_view::npos);
}

TEST_CASE("RealDisk: one directory, one process, the lock goes with its holder") {
  const TempDirectory directory;
  auto first = open_disk(directory.path());
  const auto second = RealDisk::open_directory(directory.path());
  REQUIRE_FALSE(second.ok());
  CHECK(second.status().code() == ErrorCode::already_exists);
  CHECK(second.status().message() == "the directory " + directory.path() + " is in use by process " +
                                         std::to_string(::getpid()) +
                                         "; stop that one or give another directory with --dir");
  first.reset();
  CHECK(RealDisk::open_directory(directory.path()).ok());
}

TEST_CASE("make_directory: a file in the way, or no right to write, is named") {
  const TempDirectory directory;
  std::ofstream(directory.path() + "/file") << "x";
  const Status blocked = make_directory(directory.path() + "/file");
  REQUIRE_FALSE(blocked.ok());
  CHECK(blocked.message().find(directory.path() + "/file") != std::string_view::npos);
  CHECK(blocked.message().find("--dir") != std::string_view::npos);
  CHECK_FALSE(make_directory(directory.path() + "/file/below").ok());
  const auto proc = RealDisk::open_directory("/proc/chainring");  // nobody can write there, root neither
  REQUIRE_FALSE(proc.ok());
  CHECK(proc.status().message().find("/proc/chainring") != std::string_view::npos);
  CHECK(make_directory(directory.path() + "/a//b/").ok());
  CHECK(make_directory("/").ok());
  CHECK(make_directory(".").ok());
}

}  // namespace chainring::io
