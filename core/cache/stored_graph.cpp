#include "core/cache/stored_graph.h"

#include <algorithm>
#include <utility>

#include "ir/digest.h"

namespace jot {

namespace ir {
static void fields(auto& io, Is<Type> auto& t) { io(t.dtype), io(t.token), io(t.shape); }
}  // namespace ir

namespace {

constexpr char kMagic[4] = {'J', 'O', 'T', 'X'};
constexpr uint32_t kFormat = 1;

struct Header {
  char magic[4];
  uint32_t format;
  Digest rest;
};
static_assert(sizeof(Header) == 24);

void fields(auto& io, Is<CompiledGraph::Interface> auto& i) { io(i.inputs), io(i.outputs), io(i.writebacks); }

}  // namespace

std::vector<std::byte> to_bytes(const CompiledGraph& compiled, GraphText text, std::span<const std::byte> extra) {
  ByteWriter engine, out;
  compiled.engine->store(engine);
  Header header{};
  out.raw(&header, sizeof header);
  out(engine_stamp());
  fields(out, compiled.interface);
  out(text == GraphText::whole ? to_text(compiled.engine->graph()) : "");
  out.sized(engine.bytes().data(), engine.bytes().size());
  out.sized(extra.data(), extra.size());
  std::ranges::copy(kMagic, header.magic);
  header.format = kFormat;
  header.rest = digest_of(std::span<const std::byte>(out.bytes()).subspan(sizeof header));
  std::memcpy(out.bytes().data(), &header, sizeof header);
  return std::move(out.bytes());
}

StoredGraph from_bytes(const Contents& contents, LazyGraph graph) {
  const std::span<const std::byte> bytes = contents.span();
  ByteReader in(bytes);
  Header header;
  std::memcpy(&header, in.raw(sizeof header).data(), sizeof header);
  if (!std::ranges::equal(header.magic, kMagic))
    throw CacheError("[load] this is no file of jot's: it begins otherwise");
  if (header.format != kFormat)
    throw CacheError("[load] the file is of format " + std::to_string(header.format) + ", expected " +
                     std::to_string(kFormat));
  if (header.rest != digest_of(bytes.subspan(sizeof header)))
    throw CacheError("[load] the file has been changed or cut off: its digest does not agree");
  auto compiled = std::make_shared<CompiledGraph>();
  std::string stamp;
  in(stamp);
  fields(in, compiled->interface);
  const std::span<const std::byte> bytes_of_text = in.sized();
  const std::string_view text(reinterpret_cast<const char*>(bytes_of_text.data()), bytes_of_text.size());
  const std::span<const std::byte> engine = in.sized(), extra = in.sized();
  StoredGraph stored;
  if (!text.empty()) graph = LazyGraph([text, owner = contents.bytes] { return ir::parse(text); });
  stored.fits = stamp == engine_stamp();
  stored.fits = stored.fits && [&] {
    try {
      compiled->engine = load_engine(graph, engine);
      return true;
    } catch (const CacheError&) {
      if (text.empty()) throw;
      return false;
    }
  }();
  if (!compiled->engine && !text.empty()) compiled->engine = make_engine(graph.get());
  if (compiled->engine) stored.compiled = std::move(compiled);
  stored.extra = extra;
  return stored;
}

}  // namespace jot
