// numpy's .npz: a ZIP archive of .npy arrays. PKWARE, "APPNOTE.TXT", 4.3.
#include <algorithm>
#include <array>
#include <functional>

#include "core/io/file.h"

namespace jot {

namespace detail {

namespace {

constexpr std::string_view kLocal = "PK\x03\x04", kCentral = "PK\x01\x02", kEnd = "PK\x05\x06";
constexpr uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kMax32 = 0xffffffff;

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
    table[i] = c;
  }
  return table;
}();

// CRC-32 of what came before and these bytes; 0 to begin with.
uint32_t crc32(uint32_t before, const void* bytes, uint64_t n) {
  uint32_t c = ~before;
  for (uint64_t i = 0; i < n; ++i) c = c >> 8 ^ kCrcTable[(c ^ static_cast<const unsigned char*>(bytes)[i]) & 255];
  return ~c;
}
uint32_t crc32(const Source& source) {
  std::array<char, 1 << 16> block;
  uint32_t crc = 0;
  for (uint64_t at = 0; at < source.size(); at += block.size()) {
    const uint64_t n = std::min<uint64_t>(block.size(), source.size() - at);
    source.read(at, block.data(), n);
    crc = crc32(crc, block.data(), n);
  }
  return crc;
}

struct Entry {
  std::string name;
  uint64_t method, crc, packed, size, local;
};

// The entries of the central directory.
std::vector<Entry> directory(const FileContext& context, const Source& file) {
  const uint64_t searched = std::min<uint64_t>(file.size(), kEndSize + 0xffff);
  const std::string tail = file.text(file.size() - searched, searched);
  size_t end = std::string::npos;
  for (size_t i = tail.size() < kEndSize ? 0 : tail.size() - kEndSize + 1; i-- > 0;)
    if (tail.compare(i, 4, kEnd) == 0 && i + kEndSize + little_endian(&tail[i + 20], 2) == tail.size()) {
      end = i;
      break;
    }
  if (end == std::string::npos) context.fail("is no .npz archive: it has no end of a central directory");
  const uint64_t count = little_endian(&tail[end + 10], 2), size = little_endian(&tail[end + 12], 4),
                 offset = little_endian(&tail[end + 16], 4), at_end = file.size() - searched + end;
  if (count == 0xffff || size == kMax32 || offset == kMax32)
    context.fail("expected an archive below 4 GiB, got one of ZIP64");
  if (offset > at_end || size > at_end - offset)
    context.fail("expected a central directory within the file, got one of " + std::to_string(size) + " bytes at " +
                 std::to_string(offset));
  const std::string text = file.text(offset, size);
  std::vector<Entry> entries;
  uint64_t at = 0;
  for (uint64_t i = 0; i < count; ++i) {
    if (size - at < kCentralSize || text.compare(at, 4, kCentral) != 0)
      context.fail("expected " + std::to_string(count) + " entries in the central directory, got " + std::to_string(i));
    auto field = [&](size_t place, int n) { return little_endian(&text[at + place], n); };
    const uint64_t name = field(28, 2), rest = field(30, 2) + field(32, 2);
    if (size - at - kCentralSize < name + rest) context.fail("its central directory ends within an entry");
    if (field(8, 2) & 1) context.fail("it is encrypted");
    entries.push_back(
        {text.substr(at + kCentralSize, name), field(10, 2), field(16, 4), field(20, 4), field(24, 4), field(42, 4)});
    at += kCentralSize + name + rest;
  }
  return entries;
}

Tensor read_entry(const FileContext& context, const Source& file, const Entry& e) {
  if (e.packed == kMax32 || e.size == kMax32 || e.local == kMax32)
    context.fail("expected an array below 4 GiB, got one of ZIP64");
  const uint64_t size = file.size();
  if (e.local > size || size - e.local < kLocalSize)
    context.fail("expected a local header within the file, got one at " + std::to_string(e.local));
  const std::string header = file.text(e.local, kLocalSize);
  if (header.compare(0, 4, kLocal) != 0) context.fail("expected a local header at " + std::to_string(e.local));
  const uint64_t begin = e.local + kLocalSize + little_endian(&header[26], 2) + little_endian(&header[28], 2);
  if (begin > size || size - begin < e.packed)
    context.fail("expected " + std::to_string(e.packed) + " bytes at " + std::to_string(begin) + ", got a file of " +
                 std::to_string(size));
  auto checked = [&](const Source& bytes) {
    if (bytes.size() != e.size)
      context.fail("expected " + std::to_string(e.size) + " bytes, got " + std::to_string(bytes.size()));
    if (crc32(bytes) != e.crc) context.fail("its bytes are damaged: their checksum is not that of the directory");
    return read_npy(context, bytes);
  };
  const Part packed(file, begin, e.packed);
  if (e.method == 0) return checked(packed);
  if (e.method == 8) return checked(Memory(inflated(context, packed, e.size)));
  context.fail("expected stored or deflated bytes, got compression method " + std::to_string(e.method));
}

}  // namespace

}  // namespace detail

using namespace detail;

TensorDict load_npz(const std::string& path, Location at) {
  const FileContext context{"load_npz", path, at};
  const InputFile file(context);
  TensorDict arrays;
  for (const Entry& e : directory(context, file)) {
    constexpr std::string_view suffix = ".npy";
    if (!std::string_view(e.name).ends_with(suffix)) context.of(e.name).fail("is no .npy array");
    const std::string name = e.name.substr(0, e.name.size() - suffix.size());
    if (arrays.contains(name)) context.of(name).fail("stands there twice");
    arrays.emplace(name, read_entry(context.of(name), file, e));
  }
  return arrays;
}

void save_npz(const std::string& path, const TensorDict& arrays, Location at) {
  const FileContext context{"save_npz", path, at};
  if (arrays.size() >= 0xffff) context.fail("expected fewer than 65535 arrays, got " + std::to_string(arrays.size()));
  for (const auto& [name, x] : arrays) {
    check_defined(context.of(name), x);
    if (name.size() > 0xff00) context.of(name.substr(0, 20) + "...").fail("expected a name of at most 65280 bytes");
  }
  OutputFile file(context);
  std::string central;
  uint64_t offset = 0;
  for (const auto& [key, x] : arrays)
    with_elements(x, "save_npz", at, [&, &name = key, &array = x](const void* bytes, uint64_t n) {
      const std::string header = npy_header(array.dtype(), array.shape()), entry = name + ".npy";
      const uint64_t size = header.size() + n;
      if (offset + size + (1 << 17) >= kMax32)
        context.of(name).fail("expected an archive below 4 GiB; save_safetensors writes any size");
      std::string common;                        // of both headers
      append_little_endian(common, 20, 2);       // version
      append_little_endian(common, 1 << 11, 2);  // names are UTF-8
      append_little_endian(common, 0, 2);        // stored
      append_little_endian(common, 0, 2);        // midnight ...
      append_little_endian(common, 0x21, 2);     // ... of 1 January 1980
      append_little_endian(common, crc32(crc32(0, header.data(), header.size()), bytes, n), 4);
      append_little_endian(common, size, 4);
      append_little_endian(common, size, 4);
      append_little_endian(common, entry.size(), 2);
      append_little_endian(common, 0, 2);  // no extra fields
      central += kCentral;
      append_little_endian(central, 20, 2);
      central += common;
      append_little_endian(central, 0, 2 + 2 + 2 + 4);  // no comment, first disk, no attributes
      append_little_endian(central, offset, 4);
      central += entry;
      file.write(kLocal);
      file.write(common);
      file.write(entry);
      file.write(header);
      file.write(bytes, n);
      offset += kLocalSize + entry.size() + size;
    });
  std::string end(kEnd);
  append_little_endian(end, 0, 2 + 2);
  append_little_endian(end, arrays.size(), 2);
  append_little_endian(end, arrays.size(), 2);
  append_little_endian(end, central.size(), 4);
  append_little_endian(end, offset, 4);
  append_little_endian(end, 0, 2);
  file.write(central);
  file.write(end);
  file.complete();
}

}  // namespace jot
