#include "coordinator/identity.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "protocol/slot.h"

namespace chainring::coordinator {
namespace {

constexpr std::string_view kFile = "identity";
constexpr std::string_view kNewFile = "identity.new";
constexpr uint32_t kFormat = 2;

// The file: format, checksum of what follows, identity.
struct Header {
  uint32_t format = kFormat;
  uint64_t checksum = 0;
  template <class A>
  void fields(A& a) {
    a(format, checksum);
  }
};

Result<Identity> parse(std::string_view file) {
  ByteReader reader(file);
  Header header;
  reader(header);
  const std::string_view body = reader.rest();
  std::optional<Identity> identity;
  if (!reader.failed() && header.format == kFormat && header.checksum == protocol::key_hash(body)) {
    identity = decode<Identity>(body);
  }
  if (!identity || identity->disk_id == 0 || !well_formed(identity->roster)) {
    return Status(ErrorCode::corrupt, "the file 'identity' is damaged, or of another version of the program");
  }
  return *std::move(identity);
}

}  // namespace

Status save_identity(Disk& disk, const Identity& identity) {
  const std::string body = encode(identity);
  Header header;
  header.checksum = protocol::key_hash(body);
  const Result<std::vector<std::string>> names = disk.list();
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), kNewFile) != names->end()) {  // of a save that did not end
    if (Status removed = disk.remove(kNewFile); !removed.ok()) return removed;
  }
  {
    const Result<std::unique_ptr<DiskFile>> file = disk.open(kNewFile);
    if (!file.ok()) return file.status();
    if (Status written = (*file)->append(encode(header) + body); !written.ok()) return written;
    if (Status synced = (*file)->sync(); !synced.ok()) return synced;
  }
  if (Status renamed = disk.rename(kNewFile, kFile); !renamed.ok()) return renamed;
  return disk.sync_directory();
}

Result<Identity> load_identity(Disk& disk, Random& random, std::string_view name) {
  const Result<std::vector<std::string>> names = disk.list();
  if (!names.ok()) return names.status();
  if (std::find(names->begin(), names->end(), kFile) != names->end()) {
    const Result<std::string> file = disk.read(kFile);
    if (!file.ok()) return file.status();
    Result<Identity> identity = parse(*file);
    if (identity.ok() && identity->name != name) {
      return Status(ErrorCode::invalid_argument, concat("dir: it belongs to coordinator '", identity->name,
                                                        "', this one is '", name, "'; give each its own directory"));
    }
    return identity;
  }
  Identity identity;
  identity.name = name;
  while (identity.disk_id == 0) identity.disk_id = random.next();
  if (Status saved = save_identity(disk, identity); !saved.ok()) return saved;
  return identity;
}

}  // namespace chainring::coordinator
