#include "cli/suggest.h"

#include "tests/cli/program.h"

namespace chainring::cli {

TEST_CASE("did_you_mean: names the nearest when it is near enough") {
  const std::string_view known[] = {"lease-ms", "raft-heartbeat-ms", "heartbeat-ms", "port", "bind"};
  CHECK(did_you_mean("lese-ms", known) == "; did you mean 'lease-ms'?");
  CHECK(did_you_mean("laese-ms", known) == "; did you mean 'lease-ms'?");  // neighbours swapped
  CHECK(did_you_mean("hartbeat-ms", known) == "; did you mean 'heartbeat-ms'?");
  CHECK(did_you_mean("prot", known) == "; did you mean 'port'?");
  CHECK(did_you_mean("bond", known) == "; did you mean 'bind'?");
  CHECK(did_you_mean("frobnicate", known).empty());
  CHECK(did_you_mean("", known).empty());
  CHECK(did_you_mean(std::string(100'000, 'x'), known).empty());
}

}  // namespace chainring::cli
