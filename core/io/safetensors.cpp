// The format of https://github.com/huggingface/safetensors: the size of a header (8 bytes), the header, JSON, the
// elements:
//   {"__metadata__": {"key": "text"}, "w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
#include <algorithm>

#include "core/io/file.h"
#include "core/io/scanner.h"
#include "ir/json.h"

namespace jot {

namespace detail {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's

struct Kind {
  std::string_view text;
  DType dtype;
};
constexpr Kind kKinds[] = {{"BOOL", boolean}, {"U8", u8},   {"I32", i32}, {"I64", i64},
                           {"BF16", bf16},    {"F16", f16}, {"F32", f32}, {"F64", f64}};

bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t n = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (n == 0 || i + n > text.size()) return false;
    for (size_t k = 1; k < n; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) return false;
    const auto second = n > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0) || (lead == 0xf0 && second < 0x90) ||
        (lead == 0xf4 && second >= 0x90))
      return false;
    i += n;
  }
  return true;
}

void append_utf8(std::string& out, uint32_t c) {
  const int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  constexpr uint32_t lead[] = {0, 0xc0, 0xe0, 0xf0};
  out += static_cast<char>(lead[more] | c >> 6 * more);
  for (int k = more; k-- > 0;) out += static_cast<char>(0x80 | (c >> 6 * k & 0x3f));
}

// One tensor of the header.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> extents, offsets;
};

// The JSON of a header: objects of two depths, so nothing recurs.
class Header : Scanner {
 public:
  Header(const FileContext& context, std::string text)
      : Scanner(context, std::move(text), "expected a JSON header of tensors, got ") {
    parse();
  }
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

 private:
  void parse() {
    std::map<std::string, bool> seen;
    object([&](std::string key) {
      if (!seen.emplace(key, true).second) bad("the key '" + key + "' a second time");
      if (key == "__metadata__") {
        object([&](std::string name) {
          std::string value = string();
          if (!metadata.emplace(name, value).second) bad("the metadata '" + name + "' a second time");
        });
      } else {
        entries.push_back(entry(std::move(key)));
      }
    });
    if (!at_end()) bad("more after the object");
  }
  Entry entry(std::string name) {
    Entry e;
    e.name = std::move(name);
    bool seen[3] = {};
    object([&](const std::string& field) {
      const size_t which = field == "dtype" ? 0 : field == "shape" ? 1 : field == "data_offsets" ? 2 : 3;
      if (which == 3 || seen[which])
        bad("'" + field + "' in the key '" + e.name + "', which is unknown or stands there twice");
      seen[which] = true;
      if (which == 0)
        e.dtype = string();
      else
        numbers(which == 1 ? e.extents : e.offsets);
    });
    if (!seen[0] || !seen[1] || !seen[2])
      bad("not all of 'dtype', 'shape' and 'data_offsets' in the key '" + e.name + "'");
    return e;
  }
  // Calls `value` where the value of each key begins.
  template <class F>
  void object(F value) {
    expect('{');
    if (accept('}')) return;
    do {
      std::string key = string();
      expect(':');
      value(std::move(key));
    } while (accept(','));
    expect('}');
  }
  void numbers(std::vector<uint64_t>& to) {
    expect('[');
    if (accept(']')) return;
    do to.push_back(number());
    while (accept(','));
    expect(']');
  }
  std::string string() {
    expect('"');
    std::string out;
    for (;;) {
      if (at_ == text_.size()) bad("a string that does not end");
      const char c = text_[at_++];
      if (c == '"') break;
      if (static_cast<unsigned char>(c) < 0x20) bad("a control character in a string");
      if (c == '\\')
        escape(out);
      else
        out += c;
    }
    if (!is_utf8(out)) bad("a string that is not UTF-8");
    return out;
  }
  void escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", values = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) bad("a string that does not end");
    const char c = text_[at_++];
    if (const size_t i = letters.find(c); i != std::string_view::npos) {
      out += values[i];
      return;
    }
    if (c != 'u') bad("an unknown escape");
    uint32_t code = hex();
    if (code >= 0xd800 && code < 0xdc00) {
      if (text_.compare(at_, 2, "\\u") != 0) bad("half a surrogate pair");
      at_ += 2;
      const uint32_t low = hex();
      if (low < 0xdc00 || low >= 0xe000) bad("half a surrogate pair");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    } else if (code >= 0xdc00 && code < 0xe000) {
      bad("half a surrogate pair");
    }
    append_utf8(out, code);
  }
  uint32_t hex() {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = at_ < text_.size() ? text_[at_++] : '\0';
      const size_t digit =
          std::string_view("0123456789abcdef").find(c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c);
      if (digit == std::string_view::npos) bad("an escape without four digits");
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    return value;
  }
};

// The header and where the elements begin.
struct Opened {
  Header header;
  uint64_t elements;
};
Opened opened(const FileContext& context, const Source& file) {
  if (file.size() < 8)
    context.fail("expected 8 bytes for the size of the header, got a file of " + std::to_string(file.size()));
  const std::string start = file.text(0, 8);
  const uint64_t size = little_endian(start.data(), 8), most = std::min(file.size() - 8, kMaxHeader);
  if (size > most)
    context.fail("expected a header of at most " + std::to_string(most) + " bytes, got one of " + std::to_string(size));
  return {Header(context, file.text(8, size)), 8 + size};
}

struct Planned {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, bytes;
};

// Every entry checked: known dtypes, bytes that fit the shape, offsets that follow each other and end with the file.
std::vector<Planned> planned(const FileContext& context, const std::vector<Entry>& entries, uint64_t elements) {
  std::vector<Planned> plan;
  for (const Entry& e : entries) {
    const FileContext key = context.of(e.name);
    const Kind* kind = std::ranges::find(kKinds, e.dtype, &Kind::text);
    if (kind == std::end(kKinds))
      key.fail("expected a dtype of BOOL, U8, I32, I64, BF16, F16, F32, F64, got '" + e.dtype + "'");
    const FileShape shape = checked_shape(key, e.extents, kind->dtype);
    const bool two = e.offsets.size() == 2;
    if (!two || e.offsets[0] > e.offsets[1] || e.offsets[1] > elements || e.offsets[1] - e.offsets[0] != shape.bytes)
      key.fail("expected data_offsets of " + std::to_string(shape.bytes) + " bytes for " +
               std::string(to_string(kind->dtype)) + to_string(shape.shape) + ", within " + std::to_string(elements) +
               ", got " +
               (two ? "[" + std::to_string(e.offsets[0]) + ", " + std::to_string(e.offsets[1]) + "]"
                    : std::to_string(e.offsets.size()) + " numbers"));
    plan.push_back({e.name, kind->dtype, shape.shape, e.offsets[0], shape.bytes});
  }
  std::ranges::stable_sort(plan, {}, [](const Planned& p) { return std::pair(p.begin, p.bytes); });
  uint64_t end = 0;
  for (const Planned& p : plan) {
    if (p.begin != end)
      context.of(p.name).fail("expected data_offsets that begin at " + std::to_string(end) +
                              ", where the tensor before ends, got " + std::to_string(p.begin));
    end += p.bytes;
  }
  if (end != elements)
    context.fail("expected " + std::to_string(end) + " bytes of elements, got " + std::to_string(elements));
  return plan;
}

}  // namespace

}  // namespace detail

using namespace detail;

TensorDict load_safetensors(const std::string& path, Location at) {
  const FileContext context{"load_safetensors", path, at};
  const InputFile file(context);
  const Opened o = opened(context, file);
  TensorDict tensors;
  for (const Planned& p : planned(context, o.header.entries, file.size() - o.elements)) {
    Tensor t = new_tensor(context.of(p.name), p.dtype, p.shape);
    file.read(o.elements + p.begin, bytes_of(t), p.bytes);
    normalise_booleans(t);
    tensors.emplace(p.name, std::move(t));
  }
  return tensors;
}

std::map<std::string, std::string> load_safetensors_metadata(const std::string& path, Location at) {
  const FileContext context{"load_safetensors_metadata", path, at};
  const InputFile file(context);
  return opened(context, file).header.metadata;
}

void save_safetensors(const std::string& path, const TensorDict& tensors, const SaveSafetensorsOptions& options,
                      Location at) {
  const FileContext context{"save_safetensors", path, at};
  auto check_text = [&](const FileContext& where, const std::string& text) {
    if (!is_utf8(text)) where.fail("expected a text in UTF-8");
  };
  struct Item {
    const std::string* name;
    const Tensor* tensor;
  };
  std::vector<Item> items;
  for (const auto& [name, t] : tensors) {
    check_defined(context.of(name), t);
    check_text(context.of(name), name);
    if (name == "__metadata__") context.of(name).fail("expected another name: this one is the format's");
    items.push_back({&name, &t});
  }
  // The largest elements first, so that all are aligned; then by name.
  std::ranges::stable_sort(items, std::ranges::greater(), [](const Item& i) { return size_of(i.tensor->dtype()); });
  std::string header = "{", separator;
  if (!options.metadata.empty()) {
    header += "\"__metadata__\":{";
    for (const auto& [key, text] : options.metadata) {
      check_text(context, key);
      check_text(context, text);
      header += separator + ir::json_quoted(key) + ":" + ir::json_quoted(text);
      separator = ",";
    }
    header += "}";
  }
  uint64_t offset = 0;
  for (const Item& item : items) {
    const DType dtype = item.tensor->dtype();
    const Shape shape = item.tensor->shape();
    const uint64_t bytes = static_cast<uint64_t>(shape.numel()) * static_cast<uint64_t>(size_of(dtype));
    std::string extents;
    for (size_t d = 0; d < shape.size(); ++d) extents += (d == 0 ? "" : ",") + std::to_string(shape[d]);
    header += separator + ir::json_quoted(*item.name) + ":{\"dtype\":\"" +
              std::string(std::ranges::find(kKinds, dtype, &Kind::dtype)->text) + "\",\"shape\":[" + extents +
              "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(offset + bytes) + "]}";
    separator = ",";
    offset += bytes;
  }
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  if (header.size() > kMaxHeader)
    context.fail("expected a header of at most 100 MB, got " + std::to_string(header.size()) + " bytes");
  OutputFile file(context);
  std::string size;
  append_little_endian(size, header.size(), 8);
  file.write(size);
  file.write(header);
  for (const Item& item : items)
    with_elements(*item.tensor, "save_safetensors", at, [&](const void* bytes, uint64_t n) { file.write(bytes, n); });
  file.complete();
}

}  // namespace jot
