#include "cli/rules.h"

#include <cstdio>
#include <ctime>

#include "base/text.h"
#include "cli/redis_client.h"

namespace chainring::cli {
namespace {

constexpr Millis kTimeout = 5000;
constexpr int kAttemptsMax = 400;  // of a change whose keys are still being looked through
constexpr timespec kPause{0, 250'000'000};

std::vector<std::string> request_of(const RulesCommand& command) {
  switch (command.verb) {
    case RulesCommand::Verb::add:
      return {"RING", "RULES", "ADD", command.pattern};
    case RulesCommand::Verb::remove:
      return {"RING", "RULES", "REMOVE", command.pattern};
    case RulesCommand::Verb::list:
      break;
  }
  return {"RING", "RULES", "LIST"};
}

// Asks again while the outcome is open: what is asked for stays the same.
Result<RedisReply> ask(const RulesCommand& command) {
  Result<RedisReply> answer = Status(ErrorCode::unavailable, "no answer");
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Result<RedisClient> client = RedisClient::connect({command.host, command.port, command.password}, kTimeout);
    if (!client) return client.status();
    answer = client->command(request_of(command));
    if (answer || answer.status().code() != ErrorCode::unavailable) break;
    ::nanosleep(&kPause, nullptr);
  }
  return answer;
}

std::string outcome_text(const RulesCommand& command, const RedisReply& answer) {
  std::string text;
  if (command.verb == RulesCommand::Verb::list) {
    for (const std::string& rule : answer.elements) append_text(text, rule, '\n');
  } else if (command.verb == RulesCommand::Verb::add) {
    text = answer.integer != 0 ? "added\n" : "nothing to do: this rule is in force\n";
  } else {
    text = answer.integer != 0 ? "removed\n" : "nothing to do: there is no such rule\n";
  }
  return text;
}

}  // namespace

int run_rules(const RulesCommand& command) {
  const Result<RedisReply> answer = ask(command);
  if (!answer) {
    std::fputs(concat("chainring rules: ", plain(answer.status().message()), '\n').c_str(), stderr);
    return kFailed;
  }
  std::fputs(outcome_text(command, *answer).c_str(), stdout);
  return kDone;
}

}  // namespace chainring::cli
