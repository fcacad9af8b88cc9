// The write-ahead log: what survives which crash, and what is told from what.
#include "raft/log.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "tests/support/sim_disk.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::raft {
namespace {

using chainring::testing::SimDisk;

const Configuration kThree{{1, 2, 3}, {}};

Entry entry(Term term, Index index, size_t bytes = 3) {
  return Entry{term, index, EntryKind::data, std::string(bytes, static_cast<char>('a' + index % 26))};
}

Log::Opened open(Disk& disk, uint64_t segment_bytes = kSegmentBytesDefault) {
  auto opened = Log::open(disk, segment_bytes);
  REQUIRE(opened.status().ok());
  return *std::move(opened);
}

ErrorCode error_of_open(Disk& disk) {
  auto opened = Log::open(disk);
  REQUIRE_FALSE(opened.ok());
  return opened.status().code();
}

std::vector<std::string> segments(const Disk& disk) {
  std::vector<std::string> names = *disk.list();
  std::erase_if(names, [](const std::string& name) { return !parse_segment_name(name); });
  return names;
}

void put_entries(Log& log, Term term, Index first, Index last) {
  for (Index i = first; i <= last; ++i) log.put(entry(term, i));
}

}  // namespace

TEST_CASE("Log.open: finds what was synced") {
  SimDisk disk;
  {
    auto [log, contents] = open(disk);
    CHECK_FALSE(contents.founded);
    log->put(HardState{3, 7});
    put_entries(*log, 3, 1, 5);
    REQUIRE(log->sync().ok());
    put_entries(*log, 4, 4, 4);  // replaces 4 and drops 5
    REQUIRE(log->sync().ok());
  }
  disk.crash_keeping(0);
  const auto [log, contents] = open(disk);
  CHECK(contents.founded);
  CHECK(contents.hard_state == HardState{3, 7});
  CHECK(contents.snapshot.index == 0);
  REQUIRE(contents.entries.size() == 4);
  CHECK(contents.entries[2] == entry(3, 3));
  CHECK(contents.entries[3] == entry(4, 4));
}

TEST_CASE("Log.put: a blank hard state founds, an empty log does not") {
  SimDisk disk;
  open(disk);
  CHECK_FALSE(open(disk).contents.founded);
  {
    auto opened = open(disk);
    opened.log->put(HardState{});
    REQUIRE(opened.log->sync().ok());
  }
  disk.crash_keeping(0);
  CHECK(open(disk).contents.founded);
}

TEST_CASE("Log.sync: one sync however much was put, none when nothing was") {
  SimDisk disk;
  auto opened = open(disk);
  REQUIRE(opened.log->sync().ok());
  CHECK(disk.syncs() == 0);
  for (uint64_t round = 1; round <= 3; ++round) {
    opened.log->put(HardState{round, 1});
    put_entries(*opened.log, round, (round - 1) * 100 + 1, round * 100);
    REQUIRE(opened.log->sync().ok());
    CHECK(disk.syncs() == round);
  }
}

TEST_CASE("Log.open: cuts a torn tail at every length") {
  SimDisk whole;
  auto first = open(whole);
  put_entries(*first.log, 1, 1, 3);
  REQUIRE(first.log->sync().ok());
  const std::string name = segments(whole).at(0);
  const size_t synced = whole.contents(name).size();
  std::vector<size_t> ends;  // of the records of the second batch
  for (Index i = 4; i <= 7; ++i) {
    first.log->put(entry(1, i, 20 * i));
    ends.push_back((ends.empty() ? synced : ends.back()) + kRecordHeaderBytes + encode(entry(1, i, 20 * i)).size());
  }
  REQUIRE(first.log->sync().ok());
  const std::string bytes = whole.contents(name);
  REQUIRE(ends.back() == bytes.size());

  for (size_t length = synced; length <= bytes.size(); ++length) {
    SimDisk disk;
    REQUIRE(disk.open(name).ok());
    disk.replace_contents(name, bytes.substr(0, length));
    {
      auto [log, contents] = open(disk);
      const auto complete = std::count_if(ends.begin(), ends.end(), [&](size_t end) { return end <= length; });
      REQUIRE(contents.entries.size() == 3 + static_cast<size_t>(complete));
      REQUIRE(contents.entries.back().index == contents.entries.size());
      log->put(entry(2, contents.entries.size() + 1));  // life goes on behind the cut
      REQUIRE(log->sync().ok());
    }
    disk.crash_keeping(0);
    const auto again = open(disk).contents;
    REQUIRE(again.entries.back().term == 2);
  }
}

TEST_CASE("Log.open: a file cut within its first batch is no log yet") {
  SimDisk whole;
  auto first = open(whole);
  first.log->put(HardState{});
  REQUIRE(first.log->sync().ok());
  const std::string name = segments(whole).at(0);
  const std::string bytes = whole.contents(name);
  for (size_t length = 0; length <= bytes.size(); ++length) {
    SimDisk disk;
    REQUIRE(disk.open(name).ok());
    disk.replace_contents(name, bytes.substr(0, length));
    CHECK(open(disk).contents.founded == (length == bytes.size()));
  }
}

TEST_CASE("Log.open: damage to what was synced is an error, at every byte") {
  SimDisk whole;
  auto opened = open(whole);
  size_t before_last = 0;
  for (Index i = 1; i <= 4; ++i) {
    if (i == 4) before_last = whole.contents(segments(whole).at(0)).size();
    opened.log->put(entry(1, i));
    REQUIRE(opened.log->sync().ok());
  }
  const std::string name = segments(whole).at(0);
  const std::string bytes = whole.contents(name);
  for (size_t place = 0; place < bytes.size(); ++place) {
    for (const char flip : {'\x01', '\x80', '\xff'}) {
      SimDisk disk;
      REQUIRE(disk.open(name).ok());
      std::string damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ flip);
      disk.replace_contents(name, damaged);
      if (place < before_last) {
        REQUIRE(error_of_open(disk) == ErrorCode::corrupt);
      } else {  // the last write cannot be told from a torn one, but nothing false comes of it
        REQUIRE(open(disk).contents.entries.size() == 3);
      }
    }
  }
}

TEST_CASE("Log.open: damage to an earlier segment or to the snapshot is an error") {
  SimDisk disk;
  {
    auto opened = open(disk, 100);
    for (Index i = 1; i <= 10; ++i) {
      opened.log->put(entry(1, i));
      REQUIRE(opened.log->sync().ok());
    }
    REQUIRE(opened.log->save_snapshot(Snapshot{2, 1, kThree, "state"}).ok());
  }
  REQUIRE(segments(disk).size() > 2);
  const auto damage = [](SimDisk& victim, const std::string& name, size_t place) {
    std::string bytes = victim.contents(name);
    bytes[place] = static_cast<char>(bytes[place] ^ 1);
    victim.replace_contents(name, bytes);
  };
  const std::string first = segments(disk).front();
  const std::string snapshot = snapshot_name(2);
  for (const std::string& name : {first, snapshot}) {
    const std::string good = disk.contents(name);
    for (const size_t place : {size_t{0}, size_t{9}, good.size() / 2, good.size() - 1}) {
      damage(disk, name, place);
      CHECK(error_of_open(disk) == ErrorCode::corrupt);
      disk.replace_contents(name, good);
    }
    disk.replace_contents(name, good.substr(0, good.size() - 1));
    CHECK(error_of_open(disk) == ErrorCode::corrupt);
    disk.replace_contents(name, good);
  }
  CHECK(open(disk).contents.entries.size() == 8);
}

TEST_CASE("Log.open: entries that are missing before a segment are an error") {
  SimDisk disk;
  {
    auto opened = open(disk, 100);
    for (Index i = 1; i <= 10; ++i) {
      opened.log->put(entry(1, i));
      REQUIRE(opened.log->sync().ok());
    }
  }
  REQUIRE(disk.remove(segments(disk).at(1)).ok());
  CHECK(error_of_open(disk) == ErrorCode::corrupt);
}

TEST_CASE("Log.sync: a failed sync is an error, and what it wrote is durable or gone after the restart") {
  for (const bool power_loss : {false, true}) {
    SimDisk disk;
    auto first = open(disk);
    put_entries(*first.log, 1, 1, 2);
    REQUIRE(first.log->sync().ok());
    put_entries(*first.log, 1, 3, 4);
    disk.fail_sync_after(0);
    CHECK(first.log->sync().code() == ErrorCode::io_error);
    if (power_loss) disk.crash_keeping(0);
    const auto seen = open(disk).contents.entries.size();  // the process restarted and says what it has ...
    CHECK(seen >= 2);
    disk.crash_keeping(0);
    CHECK(open(disk).contents.entries.size() == seen);  // ... and must still have it after the power went
  }
}

TEST_CASE("Log.open: what only the process had written is made durable") {
  SimDisk disk;
  {
    auto opened = open(disk);
    put_entries(*opened.log, 1, 1, 2);
    REQUIRE(opened.log->sync().ok());
  }
  // An append that the process did not live to sync.
  const std::string name = segments(disk).at(0);
  std::string record;
  append_record(record, 1, disk.contents(name).size(), disk.contents(name).size(), RecordType::entry,
                encode(entry(1, 3)));
  REQUIRE((*disk.open(name))->append(record).ok());
  CHECK(open(disk).contents.entries.size() == 3);
  disk.crash_keeping(0);
  CHECK(open(disk).contents.entries.size() == 3);
}

TEST_CASE("Log.put: full segments are followed by new ones, and snapshots delete those that are not needed") {
  SimDisk disk;
  auto opened = open(disk, 300);
  Log& log = *opened.log;
  log.put(HardState{2, 9});
  for (Index i = 1; i <= 40; ++i) {
    log.put(entry(2, i));
    REQUIRE(log.sync().ok());
  }
  const size_t before = segments(disk).size();
  CHECK(before >= 5);
  for (const std::string& name : segments(disk)) {
    CHECK(disk.contents(name).size() < 300 + 2 * 100);
    CHECK(disk.contents(name).size() > kSegmentHeaderBytes);
  }
  REQUIRE(log.save_snapshot(Snapshot{20, 2, kThree, "twenty"}).ok());
  const size_t after = segments(disk).size();
  CHECK(after < before);
  REQUIRE(log.save_snapshot(Snapshot{40, 2, kThree, "forty"}).ok());
  CHECK(segments(disk).size() == 1);
  CHECK(log.read_snapshot()->data == "forty");
  disk.crash_keeping(0);
  const auto contents = open(disk).contents;
  CHECK(contents.hard_state == HardState{2, 9});  // written again in each segment
  CHECK(contents.snapshot.data == "forty");
  CHECK(contents.entries.empty());
}

TEST_CASE("Log.install_snapshot: replaces a log that contradicts it or ends before it") {
  for (const Index own : {Index{3}, Index{30}}) {
    SimDisk disk;
    {
      auto opened = open(disk, 200);
      put_entries(*opened.log, 1, 1, own);
      REQUIRE(opened.log->sync().ok());
      REQUIRE(opened.log->install_snapshot(Snapshot{10, 2, kThree, "ten"}).ok());
    }
    disk.crash_keeping(0);
    {
      auto [log, contents] = open(disk, 200);
      CHECK(contents.snapshot.index == 10);
      CHECK(contents.entries.empty());
      put_entries(*log, 2, 11, 12);
      REQUIRE(log->sync().ok());
    }
    disk.crash_keeping(0);
    const auto contents = open(disk).contents;
    REQUIRE(contents.entries.size() == 2);
    CHECK(contents.entries[0] == entry(2, 11));
  }
}

TEST_CASE("Log.open: entries behind a snapshot of the own log stay") {
  SimDisk disk;
  {
    auto opened = open(disk);
    put_entries(*opened.log, 1, 1, 10);
    REQUIRE(opened.log->sync().ok());
    REQUIRE(opened.log->save_snapshot(Snapshot{6, 1, kThree, "six"}).ok());
  }
  disk.crash_keeping(0);
  const auto contents = open(disk).contents;
  REQUIRE(contents.entries.size() == 4);
  CHECK(contents.entries.front().index == 7);
}

TEST_CASE("Log.open: leftovers of snapshots and segments are removed, other files are not") {
  SimDisk disk;
  {
    auto opened = open(disk);
    put_entries(*opened.log, 1, 1, 4);
    REQUIRE(opened.log->sync().ok());
    REQUIRE(opened.log->save_snapshot(Snapshot{4, 1, kThree, "four"}).ok());
  }
  for (const char* name : {"snapshot.tmp", "log.tmp", "server.id", "log-x.wal"}) REQUIRE(disk.open(name).ok());
  REQUIRE(disk.open(snapshot_name(2)).ok());
  disk.replace_contents(snapshot_name(2), concat(snapshot_file_head(Snapshot{2, 1, kThree, "two"}), "two"));
  CHECK(open(disk).contents.snapshot.data == "four");
  const auto names = *disk.list();
  const std::vector<std::string> expected = {"log-0000000000000001.wal", "log-x.wal", "server.id", snapshot_name(4)};
  CHECK(names == expected);
}

TEST_CASE("log_format: the bytes on disk are pinned") {
  std::string segment;
  append_segment_header(segment, SegmentHeader{1, 2, 3});
  append_record(segment, 1, segment.size(), 0, RecordType::hard_state, encode(HardState{4, 5}));
  const auto hex = [](std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      text += kDigits[static_cast<uint8_t>(byte) >> 4];
      text += kDigits[static_cast<uint8_t>(byte) & 15];
    }
    return text;
  };
  CHECK(hex(std::string_view(segment).substr(0, 32)) ==
        "435257414c303031"
        "0100000000000000"
        "0200000000000000"
        "0300000000000000");
  CHECK(hex(std::string_view(segment).substr(48)) ==
        "0000000000000000"
        "10000000"
        "02"
        "000000"
        "0400000000000000"
        "0500000000000000");
  const auto record = read_record(segment, 1, kSegmentHeaderBytes);
  REQUIRE(record.has_value());
  CHECK(decode<HardState>(record->payload) == HardState{4, 5});
  CHECK(record->end == segment.size());
  CHECK_FALSE(read_record(segment, 2, kSegmentHeaderBytes).has_value());  // of another segment
  CHECK(segment_name(26) == "log-000000000000001a.wal");
  CHECK(parse_segment_name("log-000000000000001a.wal") == 26);
  CHECK_FALSE(parse_segment_name("log-000000000000001A.wal").has_value());
  CHECK(parse_snapshot_name(snapshot_name(UINT64_MAX)) == UINT64_MAX);
}

}  // namespace chainring::raft
