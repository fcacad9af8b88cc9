// The replicated state as a whole: determinism, snapshots, digests, entries that cannot be run (R20, R28).

#include "base/random.h"
#include "tests/coordinator/lock_fixture.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::coordinator {
namespace {

// Entries as leaders propose them, drawn at random.
class EntrySource {
 public:
  explicit EntrySource(uint64_t seed) : random_(seed) {}

  std::string next(const State& state) {
    time_ += static_cast<Millis>(random_.below(30));
    switch (random_.below(20)) {
      case 0:
        return encode_entry(register_entry(concat("n", random_.below(6)), 1 + random_.next() % 1000));
      case 1:
        return encode_entry(MemberStatesEntry{{{member(), static_cast<protocol::MemberState>(random_.below(5))}}});
      case 2:
        return encode_entry(intention(state));
      case 3:
        return encode_entry(ActivationEntry{random_.below(40)});
      case 4:
        return encode_entry(LockTimeEntry{time_});
      case 5:
        return random_.percent(5) ? encode_entry(ShutdownEntry{}) : encode_entry(LockTimeEntry{time_});
      case 6:
        return encode_entry(DigestEntry{state.digest_mark().index, state.digest_mark().digest});
      default:
        return encode_entry(command());
    }
  }

 private:
  MemberId member() { return static_cast<MemberId>(1 + random_.below(8)); }

  IntentionEntry intention(const State& state) {
    IntentionEntry entry;
    entry.from_empty = random_.percent(20) || state.ring().ranges().empty();
    entry.planned_on = state.ring().ranges_version();
    auto first = static_cast<Slot>(random_.below(kSlotCount));
    if (state.ring().ranges().empty()) first = 0;
    const auto last = static_cast<Slot>(first + random_.below(kSlotCount - first));
    entry.runs.push_back({first, last, {member()}});
    if (random_.percent(50)) entry.runs[0].chain.push_back(member());
    return entry;
  }

  LockCommandEntry command() {
    static const std::vector<std::string> kLines = {"SET lock:%k %v NX PX %t",
                                                    "SET lock:%k %v XX GET",
                                                    "SET lock:%k %v PX %t",
                                                    "DEL lock:%k lock:%k",
                                                    "PEXPIRE lock:%k %t",
                                                    "DELIFEQ lock:%k %v",
                                                    "INCR lock:%k",
                                                    "APPEND lock:%k %v",
                                                    "LOCK ACQUIRE lock:%k %v TTL %t",
                                                    "LOCK RELEASE lock:%k %v",
                                                    "LOCK RENEW lock:%k %v TTL %t",
                                                    "MSET lock:%k %v lock:%k %v",
                                                    "GETEX lock:%k PX %t",
                                                    "PERSIST lock:%k",
                                                    "SET lock:%k %v IFEQ %v KEEPTTL",
                                                    "COPY lock:%k lock:%k DB 3",
                                                    "MSETNX lock:%k %v lock:%k %v",
                                                    "SETRANGE lock:%k 5 %v"};
    std::string line = kLines[random_.below(kLines.size())];
    for (size_t at = line.find('%'); at != std::string::npos; at = line.find('%')) {
      const std::string drawn = line[at + 1] == 'k'   ? std::to_string(random_.below(12))
                                : line[at + 1] == 'v' ? std::to_string(random_.below(4))
                                                      : std::to_string(1 + random_.below(300));
      line.replace(at, 2, drawn);
    }
    LockCommandEntry entry;
    entry.time = time_;
    entry.db = static_cast<uint8_t>(random_.below(3));
    entry.args = words(line);
    if (random_.percent(60)) {
      entry.sender = 1 + random_.below(3);
      if (random_.percent(20)) entry.earlier.push_back({++numbers_[entry.sender], "$-1\r\n"});
      entry.number = ++numbers_[entry.sender];
      if (random_.percent(10)) entry.number = 1 + random_.below(entry.number);  // sent again
      entry.answered_below = entry.number > 8 ? entry.number - 8 : 0;
    }
    return entry;
  }

  SeededRandom random_;
  Millis time_ = 1;
  std::map<uint64_t, uint64_t> numbers_;
};

struct Twin {
  State state;
  uint64_t index = 0;
  std::string replies;
  void apply(const std::string& entry) {
    const Result<Applied> applied = state.apply(++index, entry);
    INFO(std::string(applied.status().message()));
    REQUIRE(applied.ok());
    if (applied->lock) replies += applied->lock->reply.render(protocol::RespVersion::resp2, state.locks().time());
  }
};

TEST_CASE("State: restored from a snapshot at any place, it goes on as if it had been there all the time") {
  const uint64_t seed = GENERATE(range<uint64_t>(1, 25));
  CAPTURE(seed);
  EntrySource entries(seed);
  SeededRandom random(seed * 77);
  Twin whole;
  whole.apply(encode_entry(found_entry(2)));
  Twin restored;
  restored.apply(encode_entry(found_entry(2)));
  for (int i = 0; i < 400; ++i) {
    const std::string entry = entries.next(whole.state);
    whole.apply(entry);
    restored.apply(entry);
    if (random.percent(3)) {
      const std::string snapshot = restored.state.snapshot();
      restored.state = State();
      REQUIRE(restored.state.restore(snapshot).ok());
      REQUIRE(restored.state.snapshot() == snapshot);
    }
    REQUIRE(restored.state.digest() == whole.state.digest());
  }
  REQUIRE(restored.replies == whole.replies);
  REQUIRE(restored.state.snapshot() == whole.state.snapshot());
  REQUIRE(encode(restored.state.ring().table()) == encode(whole.state.ring().table()));
}

TEST_CASE("State: locks that expire at one moment go in the same order, whether it was restored or not (R28)") {
  Twin whole;
  Twin restored;
  for (Twin* twin : {&whole, &restored}) {
    twin->apply(encode_entry(found_entry()));
    LockCommandEntry entry;
    entry.time = 1;
    for (int key = 0; key < 20; ++key) {
      entry.args = words(concat("SET lock:", key, " me PX ", key == 0 ? 100 : 200));
      twin->apply(encode_entry(entry));
    }
    twin->apply(encode_entry(LockTimeEntry{150}));
  }
  const std::string snapshot = restored.state.snapshot();
  restored.state = State();
  REQUIRE(restored.state.restore(snapshot).ok());
  for (Twin* twin : {&whole, &restored}) twin->apply(encode_entry(LockTimeEntry{500}));
  REQUIRE(whole.state.locks().count() == 0);
  REQUIRE(restored.state.snapshot() == whole.state.snapshot());
}

TEST_CASE("State.apply: a write that is sent again gets its reply and does not run again (R20)") {
  LockFixture f;
  LockCommandEntry entry;
  entry.time = f.now;
  entry.sender = 77;
  entry.number = 1;
  entry.args = {"INCR", "lock:n"};
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == ":1\r\n");
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == ":1\r\n");
  entry.number = 2;
  entry.answered_below = 2;
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == ":2\r\n");
  entry.number = 1;
  const Applied late = f.apply(encode_entry(entry));
  REQUIRE(late.lock->expired);
  REQUIRE(f.run("GET lock:n") == "$1\r\n2\r\n");
}

TEST_CASE("State.apply: of more senders than are remembered, none runs anything twice (R20)") {
  LockFixture f;
  LockCommandEntry first;
  first.time = f.now;
  first.sender = 77;
  first.number = 1;
  first.args = words("SET lock:a me NX");
  REQUIRE(f.apply(encode_entry(first)).lock->reply.resp == "+OK\r\n");
  LockTransactionEntry second;
  second.time = f.now;
  second.sender = 77;
  second.number = 2;
  second.payload = transaction_payload({"INCR lock:n"});
  f.apply(encode_entry(second));
  ReshardEntry wish;
  wish.verb = ReshardVerb::pause;
  wish.sender = 77;
  wish.number = 3;
  REQUIRE(f.apply(encode_entry(wish)).wish->reply.resp == "+OK\r\n");
  LockCommandEntry other = first;
  other.args = words("INCR lock:other");
  for (size_t i = 1; i <= Answers::kSendersMax; ++i) {
    other.sender = 1'000 + i;
    f.apply(encode_entry(other));
  }
  if (GENERATE(false, true)) {
    const std::string snapshot = f.state.snapshot();
    REQUIRE(f.state.restore(snapshot).ok());
  }
  first.sent = second.sent = wish.sent = protocol::Sent::again;
  REQUIRE(f.apply(encode_entry(first)).lock->expired);
  REQUIRE(f.apply(encode_entry(second)).lock->expired);
  REQUIRE(f.apply(encode_entry(wish)).wish->expired);
  REQUIRE(f.run("GET lock:n") == "$1\r\n1\r\n");
  first.number = 4;  // it was out before, and was lost
  first.args = words("INCR lock:n");
  REQUIRE(f.apply(encode_entry(first)).lock->reply.resp == ":2\r\n");
}

TEST_CASE("State.apply: a write that an entry tells the answer of does not run behind it (R20)") {
  LockFixture f;
  LockCommandEntry entry;
  entry.time = f.now;
  entry.sender = 77;
  entry.number = 2;
  entry.earlier = {{1, ":0\r\n"}};
  entry.args = words("SET lock:a me");
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == "+OK\r\n");
  entry.number = 1;
  entry.earlier = {{2, "$-1\r\n"}};  // what is known stays as it is
  entry.args = words("LOCK RELEASE lock:a me");
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == ":0\r\n");
  REQUIRE(f.state.answers().find(77, 2, protocol::Sent::once).answer->resp == "+OK\r\n");
  REQUIRE(f.state.locks().find(0, "lock:a") != nullptr);

  LockTransactionEntry transaction;
  transaction.time = f.now;
  transaction.sender = 77;
  transaction.number = 4;
  transaction.earlier = {{3, "$-1\r\n"}};
  transaction.payload = transaction_payload({"DEL lock:a"});
  REQUIRE(f.apply(encode_entry(transaction)).lock->reply.resp == "*1\r\n:1\r\n");
  entry.number = 3;
  entry.earlier.clear();
  entry.args = words("SET lock:a you NX");
  REQUIRE(f.apply(encode_entry(entry)).lock->reply.resp == "$-1\r\n");
  REQUIRE(f.state.locks().count() == 0);
}

TEST_CASE("State.apply: a grant that is asked for again tells its token and what is left of it") {
  LockFixture f;
  LockCommandEntry entry;
  entry.time = f.now;
  entry.sender = 77;
  entry.number = 1;
  entry.args = {"LOCK", "ACQUIRE", "lock:a", "me", "TTL", "1000"};
  const LockReply first = f.apply(encode_entry(entry)).lock->reply;
  entry.time = f.now + 300;
  const LockReply second = f.apply(encode_entry(entry)).lock->reply;
  REQUIRE(second == first);
  REQUIRE(second.render(protocol::RespVersion::resp2, f.now + 300) == concat("*2\r\n:", first.token, "\r\n:700\r\n"));
}

TEST_CASE("State.apply: an operator's wish is refused in one line, whatever it names") {
  LockFixture f;
  ReshardEntry entry;
  entry.verb = ReshardVerb::remove;
  entry.name = "n1\r\n+OK" + std::string(100'000, 'x');
  const std::string reply = f.apply(encode_entry(entry)).wish->reply.resp;
  REQUIRE(reply.starts_with("-ERR no node 'n1"));
  REQUIRE(reply.find_first_of("\r\n") == reply.size() - 2);
  REQUIRE(reply.size() < 1024);
}

TEST_CASE("State.apply: entries that this program cannot run are refused, not guessed (R28)") {
  LockFixture f;
  std::string newer = encode_entry(LockTimeEntry{5});
  newer[0] = static_cast<char>(kCommandSetVersion + 1);
  REQUIRE_FALSE(f.state.apply(2, newer).ok());
  std::string unknown = encode_entry(LockTimeEntry{5});
  unknown[1] = 99;
  REQUIRE_FALSE(f.state.apply(2, unknown).ok());
  const std::string whole = encode_entry(register_entry("n1", 5));
  for (size_t size = 0; size < whole.size(); ++size) REQUIRE_FALSE(f.state.apply(2, whole.substr(0, size)).ok());
  REQUIRE_FALSE(f.state.apply(2, whole + "x").ok());
  LockCommandEntry entry;
  for (const std::string_view line : {"GET", "NOSUCH lock:a", "SET cache 1", "FLUSHALL"}) {
    entry.args = words(line);
    REQUIRE_FALSE(f.state.apply(2, encode_entry(entry)).ok());
  }
}

TEST_CASE("State.apply: whose state has left the path is told by the digest (R28)") {
  LockFixture f;
  while (f.state.digest_mark().index == 0) f.run("SET lock:a me");
  const DigestMark mark = f.state.digest_mark();
  REQUIRE(f.state.apply(f.index + 1, encode_entry(DigestEntry{mark.index, mark.digest})).ok());
  REQUIRE(
      f.state.apply(f.index + 2, encode_entry(DigestEntry{mark.index - 1, mark.digest + 1})).ok());  // of another mark
  const Result<Applied> differs = f.state.apply(f.index + 3, encode_entry(DigestEntry{mark.index, mark.digest + 1}));
  REQUIRE_FALSE(differs.ok());
  REQUIRE(differs.status().code() == ErrorCode::corrupt);
}

TEST_CASE("State.restore: a damaged snapshot is refused and changes nothing") {
  LockFixture f;
  f.run("SET lock:a me PX 5000");
  f.apply(encode_entry(register_entry("n1", 5)));
  const std::string snapshot = f.state.snapshot();
  State state;
  for (size_t at = 0; at < snapshot.size(); ++at) {
    std::string damaged = snapshot;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    REQUIRE_FALSE(state.restore(damaged).ok());
    REQUIRE_FALSE(state.restore(snapshot.substr(0, at)).ok());
  }
  REQUIRE_FALSE(state.ring().founded());
  REQUIRE(state.restore(snapshot).ok());
  REQUIRE(state.snapshot() == snapshot);
}

}  // namespace
}  // namespace chainring::coordinator
