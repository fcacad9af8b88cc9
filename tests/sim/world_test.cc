// The world is unkind in the ways that it says, and in no others.
#include "tests/sim/world.h"

#include <catch2/catch.hpp>  // after our own headers: it has a CHECK of its own

using namespace chainring;
using namespace chainring::sim;

namespace {

constexpr uint16_t kPort = 7000;

// Says a word every millisecond to whom it dials, and dials again when that is gone.
class Talker final : public Process {
 public:
  Talker(Transport& transport, std::vector<ConnId>& dialled) : transport_(transport), dialled_(dialled) {}
  Status start(Now now) override {
    turn(now, {});
    return {};
  }
  void turn(Now now, std::span<const NetEvent> events) override {
    for (const NetEvent& event : events) {
      if (event.kind == NetEvent::Kind::closed) conn_ = kNoConn;
    }
    if (conn_ == kNoConn) dialled_.push_back(conn_ = transport_.connect({"127.0.0.1", kPort}));
    if (std::string* out = transport_.output(conn_)) out->append("word ");
    next_ = now.mono + kMicrosPerMilli;
  }
  Micros next_wake() const override { return next_; }
  void request_stop(Now) override {}
  bool finished() const override { return false; }
  Status outcome() const override { return {}; }

 private:
  Transport& transport_;
  std::vector<ConnId>& dialled_;
  ConnId conn_ = kNoConn;
  Micros next_ = 0;
};

struct Heard {
  Micros at;  // true time
  ConnId on;
};

class Listener final : public Process {
 public:
  Listener(Transport& transport, const World& world, std::vector<Heard>& heard)
      : transport_(transport), world_(world), heard_(heard) {}
  Status start(Now) override { return transport_.listen({"127.0.0.1", kPort}).status(); }
  void turn(Now, std::span<const NetEvent> events) override {
    for (const NetEvent& event : events) {
      if (event.kind != NetEvent::Kind::input) continue;
      transport_.consume(event.conn, transport_.input(event.conn).size());
      heard_.push_back({world_.now(), event.conn});
    }
  }
  Micros next_wake() const override { return kNever; }
  void request_stop(Now) override {}
  bool finished() const override { return false; }
  Status outcome() const override { return {}; }

 private:
  Transport& transport_;
  const World& world_;
  std::vector<Heard>& heard_;
};

struct Scene {
  Scene() {
    listener = world.add_host(
        "listener", kPort,
        [this](Transport& transport, Random&, Log&) { return std::make_unique<Listener>(transport, world, heard); }, 0);
    talker = world.add_host(
        "talker", kPort + 1,
        [this](Transport& transport, Random&, Log&) { return std::make_unique<Talker>(transport, dialled); }, 0);
    world.start(listener);
    world.start(talker);
  }
  void run_for(Micros length) { world.run_until(world.now() + length); }
  // The longest time without a word.
  [[nodiscard]] Micros longest_silence() const {
    Micros longest = 0;
    for (size_t i = 1; i < heard.size(); ++i) longest = std::max(longest, heard[i].at - heard[i - 1].at);
    return longest;
  }

  World world{1, false};
  std::vector<Heard> heard;
  std::vector<ConnId> dialled;
  HostId listener = 0, talker = 0;
};

}  // namespace

TEST_CASE("World: words arrive soon, on one stream") {
  Scene scene;
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.heard.size() > 500);
  CHECK(scene.dialled.size() == 1);
  CHECK(scene.longest_silence() < 50 * kMicrosPerMilli);
}

TEST_CASE("World.stall: what a stalled turn says leaves when it is over") {
  Scene scene;
  scene.run_for(kMicrosPerSecond);
  scene.world.stall(scene.talker, 300 * kMicrosPerMilli);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.longest_silence() >= 300 * kMicrosPerMilli);
  CHECK(scene.longest_silence() < 350 * kMicrosPerMilli);
  CHECK(scene.dialled.size() == 1);
}

TEST_CASE("World.slow: each turn takes so many times as long") {
  Scene scene;
  scene.run_for(kMicrosPerSecond);
  const size_t quick = scene.heard.size();
  scene.world.slow(scene.talker, 100);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.heard.size() - quick < quick / 2);
  CHECK(scene.heard.size() - quick > 50);
}

TEST_CASE("World.cut: what a cut holds up comes when it is mended") {
  Scene scene;
  scene.world.cut(scene.talker, scene.listener, true);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.heard.empty());
  scene.world.cut(scene.talker, scene.listener, false);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.heard.size() > 500);
}

TEST_CASE("World: an old stream's words may come after those of a new one") {
  Scene scene;
  scene.world.faults().late_per_100k = 1000;
  bool overtaken = false;
  for (int second = 0; second < 20 && !overtaken; ++second) {
    scene.run_for(kMicrosPerSecond);
    for (size_t i = 1; i < scene.heard.size(); ++i) overtaken |= scene.heard[i].on < scene.heard[i - 1].on;
  }
  CHECK(overtaken);
  CHECK(scene.world.counts().of(static_cast<size_t>(Fault::stream_late)) > 0);
  CHECK(scene.dialled.size() > 1);
}

TEST_CASE("World: clocks drift and step, and a monotonic one never jumps") {
  Scene scene;
  const Now begun = scene.world.local_now(scene.talker);
  scene.world.set_drift(scene.talker, 10'000);
  CHECK(scene.world.local_now(scene.talker).mono == begun.mono);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.world.local_now(scene.talker).mono == begun.mono + 1'010'000);
  scene.world.set_drift(scene.talker, -10'000);
  scene.run_for(kMicrosPerSecond);
  CHECK(scene.world.local_now(scene.talker).mono == begun.mono + 2'000'000);
  scene.world.set_wall(scene.talker, -250);
  CHECK(scene.world.local_now(scene.talker).wall == begun.wall + 2000 - 250);
}
