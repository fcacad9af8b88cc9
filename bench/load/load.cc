#include "bench/load/load.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "coordinator/json.h"
#include "protocol/reply.h"

namespace chainring::load {

namespace {

using coordinator::JsonWriter;

constexpr size_t kChoicesMax = 16;

std::optional<Slot> parse_slot(std::string_view text) {
  const std::optional<uint64_t> number = parse_uint(text);
  if (!number || *number >= kSlotCount) return std::nullopt;
  return static_cast<Slot>(*number);
}

// "0-5460,7000"; nothing for the empty text.
std::optional<std::vector<protocol::SlotRange>> parse_ranges(std::string_view text) {
  std::vector<protocol::SlotRange> ranges;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const size_t dash = one.find('-');
    const std::optional<Slot> first = parse_slot(one.substr(0, dash));
    const std::optional<Slot> last = dash == std::string_view::npos ? first : parse_slot(one.substr(dash + 1));
    if (!first || !last || *first > *last) return std::nullopt;
    ranges.push_back({*first, *last});
  }
  return ranges;
}

void write_durations(JsonWriter& json, std::string_view name, const Durations& durations) {
  json.key(name).begin_object();
  json.key("count").number(static_cast<int64_t>(durations.count()));
  json.key("p50").number(durations.quantile(0.5)).key("p99").number(durations.quantile(0.99));
  json.key("p999").number(durations.quantile(0.999)).key("longest").number(durations.longest());
  json.end_object();
}

void write_group(JsonWriter& json, std::string_view name, const GroupFigures& group) {
  json.key(name).begin_object();
  json.key("slots").number(static_cast<int64_t>(group.slots));
  json.key("writes").number(static_cast<int64_t>(group.writes)).key("reads").number(static_cast<int64_t>(group.reads));
  json.key("failed").number(static_cast<int64_t>(group.failed)).key("older").number(static_cast<int64_t>(group.older));
  json.key("gap").number(group.gap).key("gap_began").number(group.gap_began);
  write_durations(json, "write_times", group.write_times);
  write_durations(json, "read_times", group.read_times);
  json.end_object();
}

Status of_ranges(std::string_view text) {
  return Status(ErrorCode::invalid_argument, concat("no ranges of slots, as 0-5460,7000: ", text));
}

const std::string kDone = "OK";

}  // namespace

Load::Load(const LoadOptions& options, Transport& transport, Random& random, Log& log)
    : options_(options),
      transport_(transport),
      random_(random),
      log_(log),
      ledger_(options.prefix, options.keys, options.value_bytes),
      window_(0),
      operations_(options.operations, transport, ledger_, window_) {}

Status Load::start(Now now) {
  now_ = now.mono;
  window_.begin(now_);
  const Result<uint16_t> port = transport_.listen(options_.control);
  if (!port) return port.status();
  log_.info(concat("told what to do at port ", *port));
  return {};
}

void Load::turn(Now now, std::span<const NetEvent> events) {
  now_ = now.mono;
  for (const NetEvent& event : events) {
    if (!operations_.handle(event, now_)) control(event);
  }
  operations_.tend(now_);
  issue();
  settle();
}

Micros Load::next_wake() const {
  if (phase_ == Phase::idle && operations_.under_way() == 0 && operations_.ready()) return kNever;
  return (now_ / kTick + 1) * kTick;
}

// ---- what to do

void Load::control(const NetEvent& event) {
  if (event.kind == NetEvent::Kind::accepted) {
    if (controllers_.size() >= kControllersMax) return transport_.close(event.conn);
    controllers_[event.conn];
    return;
  }
  const auto at = controllers_.find(event.conn);
  if (at == controllers_.end()) return;
  if (event.kind == NetEvent::Kind::closed) {
    if (asker_ == event.conn) asker_ = kNoConn;
    controllers_.erase(at);
    return;
  }
  protocol::RequestParser& parser = at->second;
  while (true) {
    const auto state = parser.parse(transport_.input(event.conn));
    if (state == protocol::RequestParser::State::need_more) return;
    if (state == protocol::RequestParser::State::error) {
      transport_.close(event.conn);
      controllers_.erase(at);
      return;
    }
    if (!parser.args().empty()) command(event.conn, parser.args());
    transport_.consume(event.conn, parser.size());
    parser.next();
  }
}

void Load::command(ConnId conn, Args args) {
  const std::string name = to_upper(args[0]);
  if (name == "FILL") return sweep(Phase::filling, conn);
  if (name == "CHECK") return sweep(Phase::checking, conn);
  if (name == "STOP") return sweep(Phase::idle, conn);
  if (name == "QUIET") return reply(conn, quiet(args));
  if (name == "REPORT") return reply(conn, report(args));
  if (name == "RUN") return reply(conn, run(args));
  if (name == "WATCH") return reply(conn, watch());
  reply(conn, Status(ErrorCode::invalid_argument, "there are FILL, RUN, WATCH, QUIET, REPORT, STOP and CHECK"));
}

void Load::reply(ConnId conn, const Result<std::string>& answer) {
  std::string* const output = transport_.output(conn);
  if (output == nullptr) return;
  protocol::ReplyWriter writer(*output, protocol::RespVersion::resp2);
  if (answer) {
    writer.bulk(*answer);
  } else {
    writer.error(concat("ERR ", answer.status().message()));
  }
}

Result<std::string> Load::run(Args args) {
  const std::optional<uint64_t> rate = args.size() == 3 ? parse_uint(args[1]) : std::nullopt;
  const std::optional<uint64_t> outstanding = args.size() == 3 ? parse_uint(args[2]) : std::nullopt;
  if (!rate || !outstanding || *rate > kRateMax || *outstanding > kOutstandingMax) {
    return Status(ErrorCode::invalid_argument, "RUN rate outstanding");
  }
  if (asker_ != kNoConn) return Status(ErrorCode::unavailable, "something else is under way");
  rate_ = *rate;
  outstanding_ = *outstanding;
  phase_ = Phase::running;
  next_tick_ = (now_ / kTick + 1) * kTick;
  owed_ = 0;
  return kDone;
}

std::string Load::watch() {
  window_.begin(now_);
  skipped_ = 0;
  return kDone;
}

void Load::sweep(Phase phase, ConnId asker) {
  if (asker_ != kNoConn || (phase != Phase::idle && operations_.under_way() > 0)) {
    return reply(asker, Status(ErrorCode::unavailable, "something else is under way; STOP first"));
  }
  asker_ = asker;
  phase_ = phase;
  next_key_ = 0;
  lost_ = late_ = strange_ = 0;
  lost_names_.clear();
  if (phase == Phase::checking) {
    operations_.set_found([this](Key key, const std::string* value) { found(key, value); });
  }
}

// ---- operations

void Load::issue() {
  if (!operations_.ready()) return;
  if (phase_ == Phase::filling || phase_ == Phase::checking) return begin_sweep_operations();
  if (phase_ != Phase::running) return;
  if (rate_ == 0) {
    // The keys chosen may be busy, so there is an end to the choosing.
    for (size_t i = operations_.under_way(); i < outstanding_; ++i) begin_one(now_);
    return;
  }
  for (; next_tick_ <= now_; next_tick_ += kTick) begin_paced(next_tick_);
}

// Those of one tick are due at the tick, however late this turn is: a client that waits for its turn waits.
void Load::begin_paced(Micros due) {
  for (owed_ += rate_ * kTick; owed_ >= kMicrosPerSecond; owed_ -= kMicrosPerSecond) begin_one(due);
}

void Load::begin_one(Micros due) {
  const Kind kind = random_.percent(options_.read_percent) ? Kind::read : Kind::write;
  for (size_t i = 0; i < kChoicesMax; ++i) {
    const Key key = choose_key(kind);
    if (!operations_.busy(key)) return operations_.begin(kind, key, due, now_);
  }
  ++skipped_;
}

Key Load::choose_key(Kind kind) {
  if (kind == Kind::read) return static_cast<Key>(random_.below(ledger_.size()));
  next_write_ = (next_write_ + 1) % ledger_.size();
  return next_write_;
}

void Load::begin_sweep_operations() {
  const Kind kind = phase_ == Phase::filling ? Kind::write : Kind::read;
  while (next_key_ < ledger_.size() && operations_.under_way() < kSweepOutstanding && !operations_.busy(next_key_)) {
    operations_.begin(kind, next_key_++, now_, now_);
  }
}

// Answers who asked for something that is done now.
void Load::settle() {
  if (asker_ == kNoConn || operations_.under_way() > 0) return;
  if (phase_ != Phase::idle && next_key_ < ledger_.size()) return;
  reply(std::exchange(asker_, kNoConn), phase_ == Phase::checking ? check_report() : kDone);
  phase_ = Phase::idle;
  operations_.set_found({});
}

void Load::found(Key key, const std::string* value) {
  const auto there = value != nullptr ? std::optional<std::string_view>(*value) : std::nullopt;
  const Version acknowledged = ledger_.acknowledged(key);
  const Finding finding = ledger_.settle(key, there);
  if (finding == Finding::sound) return;
  if (finding == Finding::late) {
    ++late_;
    return;
  }
  ++(finding == Finding::older ? lost_ : strange_);
  if (lost_names_.size() < kLostNamesMax) {
    lost_names_.push_back(concat(ledger_.name(key), ": acknowledged ", acknowledged, ", there is ",
                                 there ? there->substr(0, there->find(' ')) : std::string_view("nothing")));
  }
}

// ---- what was seen

Result<std::string> Load::quiet(Args args) const {
  const auto ranges = parse_ranges(args.size() == 2 ? args[1] : std::string_view());
  if (!ranges) return of_ranges(args[1]);
  return concat(window_.quiet(*ranges, now_));
}

Result<std::string> Load::report(Args args) const {
  if (args.size() % 2 == 0 || args.size() / 2 > kGroupsMax) {
    return Status(ErrorCode::invalid_argument, concat("REPORT [name ranges]..., up to ", kGroupsMax, " groups"));
  }
  const std::vector<Waiting> waiting = operations_.waiting(now_);
  JsonWriter json;
  json.begin_object();
  json.key("micros").number(window_.kept_until(now_) - window_.began());
  json.key("complete").boolean(window_.kept_until(now_) == now_).key("skipped").number(static_cast<int64_t>(skipped_));
  json.key("under_way").number(static_cast<int64_t>(operations_.under_way()));
  json.key("groups").begin_object();
  for (size_t i = 1; i < args.size(); i += 2) {
    std::optional<std::vector<protocol::SlotRange>> ranges = parse_ranges(args[i + 1]);
    if (!ranges) return of_ranges(args[i + 1]);
    write_group(json, args[i], window_.figures({std::string(args[i]), *std::move(ranges)}, waiting, now_));
  }
  json.end_object();
  json.key("failures").begin_object();
  for (const auto& [kind, count] : window_.failures()) json.key(kind).number(static_cast<int64_t>(count));
  json.end_object().end_object();
  return std::move(json).take();
}

std::string Load::check_report() const {
  JsonWriter json;
  json.begin_object().key("checked").number(ledger_.size());
  json.key("lost").number(static_cast<int64_t>(lost_)).key("late").number(static_cast<int64_t>(late_));
  json.key("strange").number(static_cast<int64_t>(strange_));
  json.key("examples").begin_array();
  for (const std::string& name : lost_names_) json.text(name);
  json.end_array().end_object();
  return std::move(json).take();
}

}  // namespace chainring::load
