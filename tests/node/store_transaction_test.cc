// WATCH and EXEC at the head of a slot: one record, no change missed.
#include <algorithm>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/text.h"
#include "node/store.h"
#include "node/watch_book.h"
#include "protocol/resp.h"
#include "protocol/slot.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

namespace chainring::node {
namespace {

constexpr MemberId kSelf = 1, kSuccessor = 2;
constexpr std::string_view kNull = "*-1\r\n";

// The head of every slot, with or without a successor whose acknowledgements the test gives.
class Head final : private HeldReplies::Sink {
 public:
  explicit Head(std::vector<MemberId> chain = {kSelf}) : store(*this, random) { take_chain(std::move(chain)); }

  // Comes into force under the next epoch.
  void take_chain(std::vector<MemberId> chain) {
    obey(epoch_, chain_, epoch_ + 1, chain);
    ++epoch_;
    chain_ = std::move(chain);
    obey(epoch_, chain_, 0, {});
  }

  // The reply; empty while it is held.
  std::string ask(std::string_view words, uint8_t db = 0) { return ask(split(words), db); }
  std::string ask(const std::vector<std::string_view>& args, uint8_t db = 0, uint64_t number = 0) {
    Execution execution{requested(db), protocol::find_command(args), args};
    execution.slot = protocol::slot_of(args.at(1));
    execution.number = number;
    return answer_to([&] { REQUIRE(store.execute(execution)); });
  }
  // The mark that WATCH of these keys is answered.
  std::string watch(std::string_view keys) {
    const std::string reply = ask(concat("WATCH ", keys));
    protocol::ReplyValue value;
    REQUIRE(protocol::parse_reply(reply, value).state == protocol::ReplyExtent::State::ready);
    REQUIRE(value.kind == protocol::ReplyValue::Kind::bulk);
    return value.text;
  }
  std::string exec(std::initializer_list<std::string_view> commands, std::vector<std::string> marks = {},
                   uint64_t number = 0) {
    protocol::TransactionHead head;
    head.marks = std::move(marks);
    head.commands = static_cast<uint32_t>(commands.size());
    std::string payload = encode(head);
    for (const std::string_view words : commands) protocol::append_request(payload, split(words));
    const auto transaction = protocol::parse_transaction(payload, 0);
    REQUIRE(transaction.ok());
    Requested from = requested(0);
    from.slot = slot;
    from.number = number;
    return answer_to([&] { REQUIRE(store.execute(*transaction, from)); });
  }
  void acknowledge() {
    const protocol::Ack ack{{{slot, epoch_, store.chains().applied(slot)}}};
    REQUIRE(store.chains().on_ack(kSuccessor, encode(ack)).ok());
  }
  // The records that were sent on since the last call.
  std::vector<protocol::Record> sent() {
    std::vector<protocol::Record> records;
    for (ChainMessage& message : store.chains().take_messages()) {
      if (message.type != protocol::FrameType::records) continue;
      payloads_.push_back(std::move(message.payload));
      const auto decoded = decode<protocol::Records>(payloads_.back());
      REQUIRE(decoded);
      records.insert(records.end(), decoded->records.begin(), decoded->records.end());
    }
    return records;
  }

  SeededRandom random{1};
  Store store;
  const Slot slot = protocol::slot_of("{t}");  // of all keys here
  Millis now = 1'700'000'000'000;
  uint64_t memory_max = 0;
  std::vector<std::string> replies;

 private:
  static std::vector<std::string_view> split(std::string_view words) {
    std::vector<std::string_view> args;
    while (!words.empty()) {
      const size_t end = std::min(words.find(' '), words.size());
      args.push_back(words.substr(0, end));
      words.remove_prefix(std::min(end + 1, words.size()));
    }
    return args;
  }
  template <class Run>
  std::string answer_to(Run&& run) {
    const size_t before = replies.size();
    run();
    return replies.size() == before ? std::string() : replies.back();
  }
  Requested requested(uint8_t db) const {
    Requested made;
    made.db = db;
    made.sender = 9;
    made.now = now;
    made.memory_max = memory_max;
    return made;
  }
  void obey(Epoch epoch, const std::vector<MemberId>& chain, Epoch next_epoch, const std::vector<MemberId>& next) {
    protocol::TableMessage message;
    message.version = ++version_;
    message.copies = 2;
    for (const MemberId id : {kSelf, kSuccessor}) {
      protocol::TableMember& member = message.members.emplace_back();
      member.id = id;
      member.name = concat("n", id);
      member.incarnation = id;
      member.host = "127.0.0.1";
      member.port = static_cast<uint16_t>(7400 + id);
    }
    message.ranges = {{0, kSlotCount - 1, epoch, chain, next_epoch, next, {}}};
    const auto table = ring::Table::from_message(message);
    REQUIRE(table.ok());
    REQUIRE(store.obey(*table, kSelf, 1).ok());
  }
  void release(Slot, const Destination&, std::string_view reply) override { replies.emplace_back(reply); }
  void unsettled(Slot, const Destination&) override { replies.emplace_back("unsettled"); }
  void release_all(const Destination&, const std::vector<Slot>&, std::string_view reply) override {
    replies.emplace_back(reply);
  }

  Epoch epoch_ = 0;
  std::vector<MemberId> chain_;
  TableVersion version_ = 0;
  std::deque<std::string> payloads_;
};

}  // namespace

TEST_CASE("Store.transaction: all its effects are one record with one number (R8)") {
  Head head({kSelf, kSuccessor});
  CHECK(head.exec({"SET {t}a 1", "INCR {t}a", "GET {t}a", "DEL {t}b"}, {}, 5).empty());
  const auto records = head.sent();
  REQUIRE(records.size() == 1);
  CHECK(records[0].number == 5);
  CHECK(records[0].reply == "*4\r\n+OK\r\n:2\r\n$1\r\n2\r\n:0\r\n");
  CHECK(records[0].key_hashes.size() == 4);
  CHECK(head.replies.empty());
  head.acknowledge();
  CHECK(head.replies == std::vector<std::string>{std::string(records[0].reply)});
}

TEST_CASE("Store.transaction: its reply waits for all keys that it read (R7)") {
  Head head({kSelf, kSuccessor});
  head.ask("SET {t}b 1");
  CHECK(head.exec({"GET {t}a"}) == "*1\r\n$-1\r\n");
  CHECK(head.exec({"GET {t}a", "GET {t}b"}).empty());
  head.acknowledge();
  CHECK(head.replies.back() == "*2\r\n$-1\r\n$1\r\n1\r\n");
}

TEST_CASE("Store.transaction: one that is sent again is answered and does not run again (R20)") {
  Head head;
  const std::string first = head.exec({"INCR {t}a", "INCR {t}a"}, {}, 1);
  CHECK(first == "*2\r\n:1\r\n:2\r\n");
  CHECK(head.store.settle_again(head.slot, 9, 1, SenderLog::Sent::again, {}) == SenderLog::Verdict::known);
  CHECK(head.replies.back() == first);
  CHECK(head.ask("GET {t}a") == "$1\r\n2\r\n");
}

TEST_CASE("Store.transaction: an error of one command stops none of the others") {
  Head head;
  head.ask("SET {t}a word");
  CHECK(head.exec({"INCR {t}a", "SET {t}b 1"}) == "*2\r\n-ERR value is not an integer or out of range\r\n+OK\r\n");
  CHECK(head.ask("GET {t}b") == "$1\r\n1\r\n");
}

TEST_CASE("Store.transaction: keys of another slot, and what is not for one slot, are refused whole") {
  Head head;
  CHECK(head.exec({"SET {t}a 1", "SET elsewhere 1"}).starts_with("-CROSSSLOT"));
  CHECK(head.exec({"SET {t}a 1", "FLUSHALL"}) == "-ERR 'flushall' is not executed in a transaction\r\n");
  CHECK(head.exec({"SET {t}a 1", "WATCH {t}a"}) == "-ERR 'watch' is not executed in a transaction\r\n");
  CHECK(head.ask("GET {t}a") == "$-1\r\n");
}

TEST_CASE("Store.transaction: without memory one that may need some is discarded") {
  Head head;
  head.ask("SET {t}a 1");
  head.memory_max = 1;
  CHECK(head.exec({"GET {t}a", "SET {t}b 1"}) ==
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.\r\n");
  CHECK(head.exec({"GET {t}a", "DEL {t}a"}) == "*2\r\n$1\r\n1\r\n:1\r\n");
}

TEST_CASE("Store.transaction: a long reply is not part of the record, and its writes never run again (R20)") {
  Head head({kSelf, kSuccessor});
  const std::string value(SenderLog::kRepliesBytesMax * 2 / 3, 'v');
  head.ask({"SET", "{t}a", value});
  head.acknowledge();
  head.sent();
  head.exec({"GET {t}a", "GET {t}a", "INCR {t}n"}, {}, 5);
  head.acknowledge();
  CHECK(head.replies.back().ends_with("\r\n:1\r\n"));
  const auto records = head.sent();
  REQUIRE(records.size() == 1);
  CHECK(records[0].reply.empty());
  CHECK(head.store.settle_again(head.slot, 9, 5, SenderLog::Sent::again, {}) == SenderLog::Verdict::expired);
  CHECK(head.ask("GET {t}n") == "$1\r\n1\r\n");
}

TEST_CASE("Store.execute: a command whose effects might not fit a record is refused whole, and one value never is") {
  Head head;
  const std::string_view half("x", protocol::kRequestBytesMax / 2);  // more bytes than there are: they are not read
  const std::string refused = "-ERR the command is too long to be executed as one; send less at once\r\n";
  CHECK(head.ask({"MSET", "{t}a", "1", "{t}b", half, "{t}c", half}, 0, 1) == refused);
  CHECK(head.ask("EXISTS {t}a {t}b {t}c") == ":0\r\n");
  CHECK(head.store.settle_again(head.slot, 9, 1, SenderLog::Sent::again, {}) == SenderLog::Verdict::known);
  const std::string key = concat("{t}", std::string(1000, 'k'));
  std::vector<std::string_view> keys(1 + 400'000, key);  // each of them may have to be removed
  keys[0] = "EXISTS";
  CHECK(head.ask(keys) == refused);
  keys.resize(1 + 200'000);
  CHECK(head.ask(keys) == ":0\r\n");
}

TEST_CASE("Store.watch: EXEC runs when no watched key has changed") {
  Head head;
  head.ask("SET {t}a 1");
  const std::string mark = head.watch("{t}a {t}b");
  head.ask("SET {t}c 1");
  head.ask("GET {t}a");
  CHECK(head.exec({"INCR {t}a"}, {mark}) == "*1\r\n:2\r\n");
}

TEST_CASE("Store.watch: a change of a watched key makes EXEC null, and it does nothing") {
  Head head;
  head.ask("SET {t}a 1");
  head.ask("SET {t}old 1 PX 1000");
  const std::string mark = head.watch("{t}a {t}b {t}old");
  const std::string_view change = GENERATE("SET {t}a 1", "DEL {t}a", "SET {t}b 1", "PEXPIRE {t}a 1000",
                                           "RENAME {t}a {t}z", "expiry", "exec", "flush");
  INFO(change);
  if (change == "expiry") {
    head.now += 1000;
  } else if (change == "exec") {
    head.exec({"SET {t}x 1", "APPEND {t}b text"});
  } else if (change == "flush") {
    const protocol::SlotRange all[] = {{0, kSlotCount - 1}};
    const std::string_view args[] = {"FLUSHALL"};
    head.store.execute_over(all, Execution{{}, &protocol::command(protocol::CommandId::flushall), args});
  } else {
    head.ask(change);
  }
  CHECK(head.exec({"SET {t}q 1"}, {mark}) == kNull);
  CHECK(head.ask("GET {t}q") == "$-1\r\n");
}

TEST_CASE("Store.watch: the expiry of another key is no change") {
  Head head;
  head.ask("SET {t}other 1 PX 1000");
  const std::string mark = head.watch("{t}a");
  head.now += 1000;
  CHECK(head.exec({"SET {t}a 1"}, {mark}) == "*1\r\n+OK\r\n");
}

TEST_CASE("Store.watch: a key whose time was over before is absent, and stays so") {
  Head head;
  head.ask("SET {t}a 1 PX 1000");
  head.now += 1000;
  const std::string mark = head.watch("{t}a");
  CHECK(head.exec({"SET {t}a 2"}, {mark}) == "*1\r\n+OK\r\n");
}

TEST_CASE("Store.watch: EXEC finds a key expired however long the keys are that expired before it") {
  Head head;
  for (int i = 0; i < 4; ++i) {
    const std::string key = concat("{t}", i, std::string(6 << 20, 'k'));
    head.ask({"SET", key, "v", "PXAT", concat(head.now + 10)});
  }
  head.ask(concat("SET {t}w 1 PXAT ", head.now + 20));
  head.now += 30;
  const std::string mark = head.watch("{t}w");
  CHECK(head.exec({"GET {t}w"}, {mark}) == "*1\r\n$-1\r\n");
}

TEST_CASE("Store.watch: every mark counts, and a later one does not spoil an earlier one") {
  Head head;
  const std::string first = head.watch("{t}a");
  head.ask("SET {t}x 1");
  const std::string second = head.watch("{t}a");
  CHECK(head.exec({"GET {t}a"}, {first}) == "*1\r\n$-1\r\n");
  head.ask("SET {t}a 1");
  const std::string third = head.watch("{t}a");
  CHECK(head.exec({"GET {t}a"}, {first}) == kNull);
  CHECK(head.exec({"GET {t}a"}, {second, third}) == kNull);
  CHECK(head.exec({"GET {t}a"}, {third}) == "*1\r\n$1\r\n1\r\n");
}

TEST_CASE("Store.watch: the mark waits for what the keys rest on, and names no record that may be lost") {
  Head head({kSelf, kSuccessor});
  head.ask("SET {t}other 1");
  CHECK_FALSE(head.ask("WATCH {t}a").empty());  // nothing uncommitted touches it
  head.ask("SET {t}a 1");
  const size_t before = head.replies.size();
  CHECK(head.ask("WATCH {t}a").empty());
  head.acknowledge();
  CHECK(head.replies.size() == before + 3);  // of both SETs and of the WATCH

  // A record that is not committed when the mark leaves is above it: another head may put another in its place.
  head.ask("SET {t}other 2");
  const std::string mark = head.watch("{t}a");
  ByteReader reader(mark);
  Epoch epoch = 0;
  Sequence as_of = 0;
  reader(epoch, as_of);
  CHECK(as_of == head.store.chains().committed(head.slot));
}

TEST_CASE("Store.watch: under another epoch a mark says nothing any more") {
  Head head({kSelf, kSuccessor});
  const std::string mark = head.watch("{t}a");
  CHECK(head.exec({"GET {t}a"}, {mark}) == "*1\r\n$-1\r\n");
  head.take_chain({kSelf});
  CHECK(head.exec({"GET {t}a"}, {mark}) == kNull);
}

TEST_CASE("Store.watch: a malformed mark aborts") {
  Head head;
  CHECK(head.exec({"GET {t}a"}, {"?"}) == kNull);
}

TEST_CASE("WatchBook: keys that were forgotten count as changed") {
  WatchBook book;
  const uint64_t first = 1;
  book.watch(0, first, 5);
  CHECK(book.unchanged(0, first, 5));
  CHECK_FALSE(book.unchanged(0, 2, 5));
  for (uint64_t hash = 2; hash < 2 + WatchBook::kKeysMax; ++hash) book.watch(0, hash, 5);
  CHECK(book.unchanged(0, first, 5));  // the generation before is still there
  for (uint64_t hash = 2; hash < 2 + WatchBook::kKeysMax; ++hash) book.watch(0, hash + WatchBook::kKeysMax, 5);
  CHECK_FALSE(book.unchanged(0, first, 5));
}

TEST_CASE("WatchBook: a key of the older generation is still followed") {
  WatchBook book;
  const uint64_t first[] = {1};
  book.watch(0, 1, 5);
  for (uint64_t hash = 2; hash < 2 + WatchBook::kKeysMax; ++hash) book.watch(0, hash, 5);
  book.changed(0, first, 6);
  CHECK_FALSE(book.unchanged(0, 1, 5));
  book.watch(0, 1, 6);
  CHECK_FALSE(book.unchanged(0, 1, 5));
  CHECK(book.unchanged(0, 1, 6));
}

TEST_CASE("WatchBook: a slot that begins anew is not judged by its former life") {
  WatchBook book;
  const uint64_t key[] = {1};
  book.watch(0, 1, 5);
  book.changed(0, key, 1000);
  book.changed(0, {}, 1001);
  book.watch(0, 1, 2);
  CHECK(book.unchanged(0, 1, 2));
  book.changed(0, key, 3);
  CHECK_FALSE(book.unchanged(0, 1, 2));
}

}  // namespace chainring::node
