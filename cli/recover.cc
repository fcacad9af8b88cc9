#include "cli/recover.h"

#include <cstdio>

#include "base/text.h"
#include "cli/confirm.h"
#include "cli/interrupt.h"
#include "cli/recovery_report.h"
#include "cli/ring_connection.h"
#include "io/real_clock.h"

namespace chainring::cli {
namespace {

constexpr Millis kTimeout = 5000;
constexpr Micros kAskEvery = kMicrosPerSecond / 4;
constexpr Micros kLeaderTimeout = 20 * kMicrosPerSecond;   // until the new coordinators have a leader
constexpr Micros kFoundedTimeout = 30 * kMicrosPerSecond;  // beyond the lease that is waited for

int fail(std::string_view why) {
  std::fputs(concat("chainring recover: ", plain(why), '\n').c_str(), stderr);
  return kFailed;
}

void print(std::string_view text) {
  std::fputs(std::string(text).c_str(), stdout);
  std::fflush(stdout);
}

std::vector<std::string> with(std::string_view verb, const std::vector<std::string>& statements) {
  std::vector<std::string> words{"RECOVER", std::string(verb)};
  words.insert(words.end(), statements.begin(), statements.end());
  return words;
}

class Recover {
 public:
  explicit Recover(const RecoverCommand& command) : command_(command) {
    for (const Settings::NamedAddress& at : command.coordinators) {
      rings_.emplace_back(RedisEndpoint{at.host, at.port, command.password});
    }
  }

  int run() {
    ask_nodes();
    if (statements_.empty()) return fail("none of these nodes answers: there is nothing to recover from");
    const Result<std::string> json = ask_leader(with("PLAN", statements_));
    if (!json) return fail(json.status().message());
    const Result<RecoveryReport> plan = parse_recovery(*json);
    if (!plan) return fail(plan.status().message());
    print(to_text(*plan));
    if (plan->uncovered_slots > 0 && !command_.accept_loss) {
      return fail(
          "ask the nodes that hold these slots, too; or say --accept-loss: the slots are served when one of their "
          "nodes "
          "comes with what it holds, or by chainring serve-empty");
    }
    print("All coordinators of the last generation must have ended for good, also those that are only cut off.\n");
    if (!command_.yes && !confirm("Found this generation?")) return fail("nothing was done");
    return found(*plan);
  }

 private:
  void ask_nodes() {
    for (const Settings::NamedAddress& at : command_.nodes) {
      const std::string where = concat(at.host, ':', at.port);
      Result<RedisClient> client = RedisClient::connect({at.host, at.port, command_.password}, kTimeout);
      const Result<RedisReply> answer =
          client ? client->command({"RING", "TABLE"}) : Result<RedisReply>(client.status());
      if (answer) {
        statements_.push_back(answer->text);
      } else {
        print(concat("node at ", where, " does not answer: ", plain(answer.status().message()), '\n'));
      }
    }
  }

  // Any of them names the leader, when there is one; they may still be finding each other.
  Result<std::string> ask_leader(const std::vector<std::string>& words) {
    const Micros end = io::read_mono() + kLeaderTimeout;
    Status last;
    do {
      for (RingConnection& ring : rings_) {
        Result<std::string> answer = ring.ask(words);
        if (answer || answer.status().code() == ErrorCode::invalid_argument) return answer;
        last = answer.status();
      }
    } while (io::read_mono() < end && interrupts_.wait(kAskEvery));
    return Status(last.code(), concat("the new coordinators have no leader; have they all been started, with empty ",
                                      "directories and --founding recover? ", last.message()));
  }

  int found(const RecoveryReport& plan) {
    const Result<std::string> answer = ask_leader(with(command_.accept_loss ? "FOUND-ANYWAY" : "FOUND", statements_));
    const bool open = !answer && answer.status().code() == ErrorCode::outcome_unknown;
    if (!answer && !open && !is_founded(plan)) return fail(answer.status().message());
    const Micros end = io::read_mono() + plan.lease_ms * kMicrosPerMilli + kFoundedTimeout;
    while (!is_founded(plan)) {
      if (io::read_mono() > end || !interrupts_.wait(kAskEvery)) {
        return fail("it is not known whether the generation was founded; see `chainring status`");
      }
    }
    print(concat("generation ", plan.generation, " is founded; `chainring status` shows when all slots are served\n"));
    return kDone;
  }

  bool is_founded(const RecoveryReport& plan) {
    for (RingConnection& ring : rings_) {
      const Result<StatusReport> report = ring.status();
      if (report && report->generation == plan.generation && report->cluster_id == plan.cluster_id) return true;
    }
    return false;
  }

  const RecoverCommand& command_;
  Interrupts interrupts_;
  std::vector<RingConnection> rings_;
  std::vector<std::string> statements_;
};

}  // namespace

int run_recover(const RecoverCommand& command) { return Recover(command).run(); }

}  // namespace chainring::cli
