#include "raft/log_format.h"

#include <xxhash.h>

#include <charconv>
#include <memory>

#include "base/bytes.h"
#include "base/text.h"

namespace chainring::raft {
namespace {

constexpr std::string_view kSegmentMagic = "CRWAL001";
constexpr std::string_view kSnapshotMagic = "CRSNAP01";
constexpr size_t kChecksumBytes = 8;
constexpr size_t kNumberDigits = 16;

uint64_t checksum(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// Of the first bytes and the others behind them.
uint64_t checksum_of_two(std::string_view first, std::string_view others) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_64bits_reset(state.get());
  XXH3_64bits_update(state.get(), first.data(), first.size());
  XXH3_64bits_update(state.get(), others.data(), others.size());
  return XXH3_64bits_digest(state.get());
}

uint64_t place_seed(uint64_t number, uint64_t position) { return number * 0x9e3779b97f4a7c15ULL + position; }

uint64_t read_u64(std::string_view bytes) {
  uint64_t value = 0;
  ByteReader reader(bytes);
  reader(value);
  return value;
}

std::string numbered_name(std::string_view prefix, uint64_t number, std::string_view suffix) {
  char digits[kNumberDigits];
  const auto end = std::to_chars(digits, digits + kNumberDigits, number, 16).ptr;
  const std::string_view shown(digits, static_cast<size_t>(end - digits));
  return concat(prefix, std::string(kNumberDigits - shown.size(), '0'), shown, suffix);
}

std::optional<uint64_t> parse_numbered_name(std::string_view name, std::string_view prefix, std::string_view suffix) {
  if (name.size() != prefix.size() + kNumberDigits + suffix.size()) return std::nullopt;
  const std::string_view digits = name.substr(prefix.size(), kNumberDigits);
  uint64_t number = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ec != std::errc()) return std::nullopt;
  if (numbered_name(prefix, number, suffix) != name) return std::nullopt;
  return number;
}

}  // namespace

std::string segment_name(uint64_t number) { return numbered_name("log-", number, ".wal"); }

std::string snapshot_name(Index index) { return numbered_name("snapshot-", index, ".snap"); }

std::optional<uint64_t> parse_segment_name(std::string_view name) { return parse_numbered_name(name, "log-", ".wal"); }

std::optional<Index> parse_snapshot_name(std::string_view name) {
  return parse_numbered_name(name, "snapshot-", ".snap");
}

void append_segment_header(std::string& out, const SegmentHeader& header) {
  const size_t start = out.size();
  ByteWriter writer(out);
  writer.raw(kSegmentMagic);
  writer(header.number, header.last_index, header.last_term);
  writer(checksum(std::string_view(out).substr(start), 0));
}

std::optional<SegmentHeader> read_segment_header(std::string_view file) {
  if (file.size() < kSegmentHeaderBytes || !file.starts_with(kSegmentMagic)) return std::nullopt;
  const size_t covered = kSegmentHeaderBytes - kChecksumBytes;
  if (read_u64(file.substr(covered)) != checksum(file.substr(0, covered), 0)) return std::nullopt;
  SegmentHeader header;
  ByteReader reader(file.substr(kSegmentMagic.size()));
  reader(header.number, header.last_index, header.last_term);
  return header;
}

void append_record(std::string& out, uint64_t number, uint64_t position, uint64_t synced, RecordType type,
                   std::string_view payload) {
  std::string body;
  body.reserve(kRecordHeaderBytes - kChecksumBytes + payload.size());
  ByteWriter writer(body);
  writer(synced, static_cast<uint32_t>(payload.size()), type, uint8_t{0}, uint16_t{0});
  writer.raw(payload);
  ByteWriter{out}(checksum(body, place_seed(number, position)));
  out += body;
}

std::optional<Record> read_record(std::string_view file, uint64_t number, uint64_t position) {
  if (position > file.size() || file.size() - position < kRecordHeaderBytes) return std::nullopt;
  const std::string_view here = file.substr(position);
  Record record;
  uint64_t sum = 0;
  uint32_t length = 0;
  uint8_t zero = 0;
  uint16_t zeros = 0;
  ByteReader reader(here);
  reader(sum, record.synced, length, record.type, zero, zeros);
  if (zero != 0 || zeros != 0 || length > here.size() - kRecordHeaderBytes || record.synced > position) {
    return std::nullopt;
  }
  if (record.type != RecordType::entry && record.type != RecordType::hard_state) return std::nullopt;
  const size_t size = kRecordHeaderBytes + length;
  const std::string_view covered = here.substr(kChecksumBytes, size - kChecksumBytes);
  if (sum != checksum(covered, place_seed(number, position))) return std::nullopt;
  record.payload = here.substr(kRecordHeaderBytes, length);
  record.end = position + size;
  return record;
}

bool was_synced(std::string_view file, uint64_t number, uint64_t position) {
  for (uint64_t later = position + 1; later + kRecordHeaderBytes <= file.size(); ++later) {
    const auto record = read_record(file, number, later);
    if (record && record->synced > position) return true;
  }
  return false;
}

std::string snapshot_file_head(const Snapshot& snapshot) {
  std::string fields;
  ByteWriter writer(fields);
  writer(snapshot.index, snapshot.term, snapshot.configuration);
  writer.varint(snapshot.data.size());
  std::string head(kSnapshotMagic);
  ByteWriter{head}(checksum_of_two(fields, snapshot.data));
  head += fields;
  return head;
}

std::optional<Snapshot> decode_snapshot_file(std::string_view file) {
  const size_t header = kSnapshotMagic.size() + kChecksumBytes;
  if (file.size() < header || !file.starts_with(kSnapshotMagic)) return std::nullopt;
  const std::string_view body = file.substr(header);
  if (read_u64(file.substr(kSnapshotMagic.size())) != checksum(body, 0)) return std::nullopt;
  return decode<Snapshot>(body);
}

}  // namespace chainring::raft
