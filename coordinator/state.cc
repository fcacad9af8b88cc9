#include "coordinator/state.h"

#include "base/text.h"
#include "protocol/slot.h"

namespace chainring::coordinator {
namespace {

constexpr uint32_t kSnapshotFormat = 3;

Status corrupt(uint64_t index, std::string_view why) {
  return {ErrorCode::corrupt, concat("log entry ", index, ": ", why)};
}

template <class E>
bool is_numbered(const E& entry) {
  return entry.sender != 0 && entry.number != 0;
}

// The answer to a wish that was granted.
std::string granted(const ReshardEntry&) { return "+OK\r\n"; }
std::string granted(const ServeEmptyEntry& entry) {
  uint32_t slots = 0;
  for (const IntendedRun& run : entry.runs) slots += run.last - run.first + 1u;
  return concat(":", slots, "\r\n");
}

}  // namespace

template <class E>
bool State::apply_to_ring(ByteReader& reader) {
  E entry;
  reader(entry);
  if (!reader.complete()) return false;
  const bool was_founded = ring_.founded();
  ring_.apply(entry);
  if (!was_founded && ring_.founded()) locks_ = LockSpace(ring_.hash_seed(), ring_.generation());
  return true;
}

Result<Applied> State::apply(uint64_t index, std::string_view entry) {
  ByteReader reader(entry);
  uint8_t version = 0;
  EntryType type{};
  reader(version, type);
  if (version != kCommandSetVersion) {
    return corrupt(index, concat("it is of command set ", version, ", this program runs ", kCommandSetVersion,
                                 "; start a newer program"));
  }
  Applied applied;
  const TableVersion table_before = ring_.version();
  bool whole = false;
  switch (type) {
    case EntryType::found:
      whole = apply_to_ring<FoundEntry>(reader);
      break;
    case EntryType::recover:
      whole = apply_to_ring<RecoverEntry>(reader);
      break;
    case EntryType::settings:
      whole = apply_to_ring<SettingsEntry>(reader);
      break;
    case EntryType::register_member:
      whole = apply_to_ring<RegisterEntry>(reader);
      break;
    case EntryType::member_states:
      whole = apply_to_ring<MemberStatesEntry>(reader);
      break;
    case EntryType::intention:
      whole = apply_to_ring<IntentionEntry>(reader);
      break;
    case EntryType::activation:
      whole = apply_to_ring<ActivationEntry>(reader);
      break;
    case EntryType::shutdown:
      whole = apply_to_ring<ShutdownEntry>(reader);
      break;
    case EntryType::reshard:
      applied.wish = grant_wish<ReshardEntry>(index, reader);
      whole = applied.wish.has_value();
      break;
    case EntryType::serve_empty:
      applied.wish = grant_wish<ServeEmptyEntry>(index, reader);
      whole = applied.wish.has_value();
      break;
    case EntryType::target:
      whole = apply_to_ring<TargetEntry>(reader);
      break;
    case EntryType::goals:
      whole = apply_to_ring<GoalsEntry>(reader);
      break;
    case EntryType::coordinators:
      whole = apply_to_ring<CoordinatorsEntry>(reader);
      break;
    case EntryType::stop_lapsed:
      whole = apply_to_ring<StopLapsedEntry>(reader);
      break;
    case EntryType::rules:
      applied.wish = grant_rules(reader);
      whole = applied.wish.has_value();
      break;
    case EntryType::rules_outcome:
      applied.rules_outcome.emplace();
      reader(*applied.rules_outcome);
      whole = reader.complete();
      if (whole) ring_.apply(*applied.rules_outcome);
      break;
    case EntryType::lock_command:
      applied.lock = run_command(index, reader);
      whole = applied.lock.has_value();
      break;
    case EntryType::lock_transaction:
      applied.lock = run_transaction(index, reader);
      whole = applied.lock.has_value();
      break;
    case EntryType::lock_time: {
      LockTimeEntry time;
      reader(time);
      whole = reader.complete();
      if (whole) locks_.advance(time.time);
      break;
    }
    case EntryType::digest:
      if (Status same = compare(reader); !same.ok()) return same;
      whole = true;
      break;
  }
  if (!whole) return corrupt(index, "it is malformed, or of a type that this program does not know");
  applied.table_changed = ring_.version() != table_before;
  fold_digest(index, applied);
  return applied;
}

std::optional<LockOutcome> State::run_command(uint64_t index, ByteReader& reader) {
  LockCommandEntry entry;
  reader(entry);
  const std::vector<std::string_view> args(entry.args.begin(), entry.args.end());
  if (!reader.complete() || args.empty()) return std::nullopt;
  LockCommand command{protocol::find_command(args), args, entry.db, protocol::RespVersion{entry.resp}};
  if (command.spec == nullptr || !protocol::arity_fits(*command.spec, args.size()) ||
      entry.db >= engine::kDatabaseCount || !refuse_lock_command(command, ring_.lock_prefixes()).empty()) {
    return std::nullopt;
  }
  return run_once(index, entry, [&] { return locks_.run(command, ring_.settings().lock_count_max); });
}

std::optional<LockOutcome> State::run_transaction(uint64_t index, ByteReader& reader) {
  LockTransactionEntry entry;
  reader(entry);
  if (!reader.complete()) return std::nullopt;
  const Result<protocol::Transaction> transaction = protocol::parse_transaction(entry.payload, entry.db);
  if (!transaction.ok() || !refuse_lock_transaction(*transaction, ring_.lock_prefixes()).empty()) return std::nullopt;
  return run_once(index, entry, [&] {
    return locks_.run(*transaction, protocol::RespVersion{entry.resp}, ring_.settings().lock_count_max);
  });
}

template <class E, class Run>
LockOutcome State::run_once(uint64_t index, const E& entry, Run&& run) {
  locks_.advance(entry.time);
  for (const protocol::EarlierAnswer& earlier : entry.earlier) {
    if (entry.sender == 0 || earlier.number == 0) continue;
    if (answered_before(entry.sender, earlier.number, protocol::Sent::once)) continue;
    answers_.record(entry.sender, earlier.number, entry.answered_below, index, {std::string(earlier.reply), 0, 0});
  }
  answers_.note_forgotten(entry.sender, entry.forgotten_below);
  if (std::optional<LockOutcome> before = answered_before(entry.sender, entry.number, entry.sent)) {
    return *std::move(before);
  }
  LockOutcome outcome{false, run()};
  if (is_numbered(entry)) answers_.record(entry.sender, entry.number, entry.answered_below, index, outcome.reply);
  return outcome;
}

std::optional<LockOutcome> State::answered_before(Incarnation sender, uint64_t number, protocol::Sent sent) const {
  if (sender == 0 || number == 0) return std::nullopt;
  const Answers::Found found = answers_.find(sender, number, sent);
  if (found.verdict == Answers::Verdict::known) return LockOutcome{false, *found.answer};
  if (found.verdict == Answers::Verdict::expired) return LockOutcome{true, {}};
  return std::nullopt;
}

template <class E>
std::optional<LockOutcome> State::grant_wish(uint64_t index, ByteReader& reader) {
  E entry;
  reader(entry);
  if (!reader.complete()) return std::nullopt;
  if (std::optional<LockOutcome> before = answered_before(entry.sender, entry.number, entry.sent)) return before;
  LockOutcome outcome;
  const Status refused = ring_.check(entry);
  outcome.reply.resp = refused.ok() ? granted(entry) : protocol::error_reply(concat("ERR ", refused.message()));
  ring_.apply(entry);
  if (is_numbered(entry)) answers_.record(entry.sender, entry.number, entry.answered_below, index, outcome.reply);
  return outcome;
}

// Without R20's record: the wish can be sent again, as it says what the rules are to be.
std::optional<LockOutcome> State::grant_rules(ByteReader& reader) {
  RulesEntry entry;
  reader(entry);
  if (!reader.complete()) return std::nullopt;
  LockOutcome outcome;
  const Status refused = ring_.check(entry);
  const bool is_so = ring_.rules_after(entry) == ring_.rules();
  ring_.apply(entry);
  if (!refused.ok()) {
    protocol::ReplyWriter(outcome.reply.resp, protocol::RespVersion::resp2).error(concat("ERR ", refused.message()));
  } else if (ring_.rules_change().since == 0) {
    outcome.reply.resp = is_so ? ":0\r\n" : ":1\r\n";
  }
  return outcome;
}

Status State::compare(ByteReader& reader) const {
  DigestEntry entry;
  reader(entry);
  if (!reader.complete()) return {ErrorCode::corrupt, "a digest in the log is malformed"};
  if (entry.index != mark_.index || entry.digest == mark_.digest) return {};
  return {ErrorCode::corrupt, concat("the state at log entry ", mark_.index, " differs from the leader's: this ",
                                     "coordinator's data is not to be trusted; replace it by an empty one")};
}

// Outcomes are what clients and nodes see, so a state that has left the path shows here; it costs no walk over the
// keys.
void State::fold_digest(uint64_t index, const Applied& applied) {
  std::string folded;
  ByteWriter writer(folded);
  writer(digest_, index, ring_.version(), ring_.ranges_version(), locks_.time(), locks_.count(), locks_.last_token());
  if (applied.lock) writer(applied.lock->expired, applied.lock->reply);
  if (applied.wish) writer(applied.wish->expired, applied.wish->reply);
  digest_ = protocol::key_hash(folded);
  if (index / kDigestEvery != mark_.index / kDigestEvery) mark_ = {index, digest_};
}

std::string State::snapshot() const {
  std::string out;
  ByteWriter writer(out);
  writer(kSnapshotFormat, kCommandSetVersion, digest_, mark_, ring_);
  out.reserve(out.size() + snapshot_bytes() + sizeof digest_);  // growing by copies would take a third of the time
  locks_.write(writer);
  answers_.write(writer);
  writer(protocol::key_hash(out));
  return out;
}

Status State::restore(std::string_view snapshot) {
  const auto corrupt_snapshot = [](std::string_view why) {
    return Status(ErrorCode::corrupt, concat("the snapshot of the coordinators' state ", why));
  };
  uint64_t checksum = 0;
  if (snapshot.size() < sizeof checksum) return corrupt_snapshot("is cut short");
  const std::string_view body = snapshot.substr(0, snapshot.size() - sizeof checksum);
  ByteReader tail(snapshot.substr(body.size()));
  tail(checksum);
  if (checksum != protocol::key_hash(body)) return corrupt_snapshot("has a wrong checksum");
  ByteReader reader(body);
  uint32_t format = 0;
  uint8_t version = 0;
  reader(format, version);
  if (format != kSnapshotFormat || version != kCommandSetVersion) {
    return corrupt_snapshot(concat("is of format ", format, " and command set ", version, "; start a newer program"));
  }
  State restored;
  reader(restored.digest_, restored.mark_, restored.ring_);
  restored.locks_.read(reader);
  restored.answers_.read(reader);
  if (!reader.complete()) return corrupt_snapshot("is malformed");
  *this = std::move(restored);
  return {};
}

}  // namespace chainring::coordinator
