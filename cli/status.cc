#include "cli/status.h"

#include <cstdio>

#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/redis_client.h"
#include "cli/status_report.h"

namespace chainring::cli {
namespace {

constexpr Millis kTimeout = 5000;
constexpr char kHomeAndClear[] = "\x1b[H\x1b[J";

Result<std::string> ask(const StatusCommand& command) {
  Result<RedisClient> client = RedisClient::connect({command.host, command.port, command.password}, kTimeout);
  if (!client) return client.status();
  Result<RedisReply> answer = client->command({"RING", "STATUS", "JSON"});
  if (!answer) return answer.status();
  return std::move(answer->text);
}

Result<std::string> describe(const StatusCommand& command) {
  Result<std::string> json = ask(command);
  if (!json) return json;
  if (command.json) return concat(*json, '\n');
  const Result<StatusReport> report = parse_status(*json);
  if (!report) return report.status();
  return to_text(*report);
}

std::string complaint(const StatusCommand& command, const Status& status) {
  return concat("no status from ", command.host, ':', command.port, ": ", status.message(),
                "\ngive a router or a coordinator of a running cluster with --host and --port\n");
}

int watch(const StatusCommand& command) {
  Interrupts interrupts;
  do {
    const Result<std::string> text = describe(command);
    const std::string shown = text ? *text : complaint(command, text.status());
    std::fputs(concat(command.json ? "" : kHomeAndClear, shown).c_str(), stdout);
    if (std::fflush(stdout) != 0) return kFailed;  // whoever read this has gone
  } while (interrupts.wait(kMicrosPerSecond));
  return kDone;
}

}  // namespace

int run_status(const StatusCommand& command) {
  if (command.watch) return watch(command);
  const Result<std::string> text = describe(command);
  if (!text) {
    std::fputs(concat("chainring: ", complaint(command, text.status())).c_str(), stderr);
    return kFailed;
  }
  std::fputs(text->c_str(), stdout);
  return kDone;
}

}  // namespace chainring::cli
