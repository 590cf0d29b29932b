// numpy's .npy: a magic number, the length of a header, the header, a Python dictionary, and the elements.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <algorithm>
#include <optional>

#include "core/io/file.h"
#include "core/io/scanner.h"

namespace jot {

namespace detail {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr uint64_t kMaxHeader = 10000;  // numpy's

struct Kind {
  std::string_view text;  // without the byte order
  DType dtype;
};
constexpr Kind kKinds[] = {{"b1", boolean}, {"u1", u8},  {"i4", i32}, {"i8", i64},
                           {"V2", bf16},    {"f2", f16}, {"f4", f32}, {"f8", f64}};

std::string known_kinds() {
  std::string list;
  for (const Kind& k : kKinds) list += (list.empty() ? "" : ", ") + std::string(k.text);
  return list;
}

// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class Header : Scanner {
 public:
  Header(const FileContext& context, std::string text)
      : Scanner(context, std::move(text),
                "expected a header {'descr': ..., 'fortran_order': ..., 'shape': ...}, got one with ") {
    parse();
  }
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> extents;

 private:
  void parse() {
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      const size_t which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : 3;
      if (which == 3 || seen[which]) bad("the key '" + key + "', which is unknown or stands there twice");
      seen[which] = true;
      if (which == 0)
        descr = description();
      else if (which == 1)
        fortran_order = truth();
      else
        shape();
      if (!accept(',') && peek() != '}') bad("no ',' after a value");
    }
    if (!at_end()) bad("more after the dictionary");
    if (!seen[0] || !seen[1] || !seen[2]) bad("not all of 'descr', 'fortran_order' and 'shape'");
  }
  std::string description() {
    if (peek() == '[') bad("a structured dtype");
    return quoted();
  }
  bool truth() {
    peek();
    for (std::string_view word : {"True", "False"})
      if (text_.compare(at_, word.size(), word) == 0) {
        at_ += word.size();
        return word == "True";
      }
    bad("neither True nor False for 'fortran_order'");
  }
  void shape() {
    expect('(');
    while (!accept(')')) {
      extents.push_back(number());
      if (!accept(',') && peek() != ')') bad("no ',' in the shape");
    }
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') bad("no text in quotes");
    const size_t begin = ++at_, end = text_.find(quote, begin);
    if (end == std::string::npos) bad("a text that does not end");
    at_ = end + 1;
    return text_.substr(begin, end - begin);
  }
};

// Rows from columns: `shape` is that of the result, `from` has its first index fastest.
void copy_from_columns(const char* from, char* to, const Shape& shape, size_t size) {
  const size_t rank = shape.size();
  std::vector<int64_t> index(rank, 0), stride(rank, 1);
  for (size_t d = 1; d < rank; ++d) stride[d] = stride[d - 1] * shape[d - 1];
  int64_t place = 0;
  for (int64_t i = 0, n = shape.numel(); i < n; ++i) {
    std::memcpy(to + static_cast<size_t>(i) * size, from + static_cast<size_t>(place) * size, size);
    for (size_t d = rank; d-- > 0;) {
      place += stride[d];
      if (++index[d] < shape[d]) break;
      place -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
}

}  // namespace

Tensor read_npy(const FileContext& context, const Source& source) {
  const uint64_t size = source.size();
  const std::string start = source.text(0, std::min<uint64_t>(size, 12));
  if (start.size() < 10 || start.substr(0, 6) != kMagic)
    context.fail("is no .npy array: expected one that begins with \\x93NUMPY");
  const int version = static_cast<unsigned char>(start[6]), length = version == 1 ? 2 : 4;
  if (version < 1 || version > 3)
    context.fail("expected version 1, 2 or 3 of the .npy format, got " + std::to_string(version));
  const uint64_t begin = 8 + static_cast<uint64_t>(length);
  if (size < begin) context.fail("ends within its header");
  const uint64_t header_size = little_endian(start.data() + 8, length);
  if (header_size > size - begin || header_size > kMaxHeader)
    context.fail("expected a header of at most " + std::to_string(std::min(size - begin, kMaxHeader)) +
                 " bytes, got one of " + std::to_string(header_size));
  const Header header(context, source.text(begin, header_size));

  std::string_view kind = header.descr;
  const bool ordered = !kind.empty() && std::string_view("<>=|").find(kind[0]) != std::string_view::npos;
  const bool big_endian = ordered && kind[0] == '>';
  if (ordered) kind.remove_prefix(1);
  const Kind* known = std::ranges::find(kKinds, kind, &Kind::text);
  if (known == std::end(kKinds))
    context.fail("expected a dtype of " + known_kinds() + ", got '" + header.descr + "'; convert it with x.astype");
  const FileShape shape = checked_shape(context, header.extents, known->dtype);
  const uint64_t elements = begin + header_size;
  if (shape.bytes != size - elements)
    context.fail("expected " + std::to_string(shape.bytes) + " bytes of elements for " +
                 std::string(to_string(known->dtype)) + to_string(shape.shape) + ", got " +
                 std::to_string(size - elements));

  Tensor t = new_tensor(context, known->dtype, shape.shape);
  char* bytes = bytes_of(t);
  const auto element = static_cast<size_t>(size_of(known->dtype));
  if (header.fortran_order && shape.shape.size() > 1) {
    const Tensor columns = new_tensor(context, known->dtype, shape.shape);
    source.read(elements, bytes_of(columns), shape.bytes);
    copy_from_columns(bytes_of(columns), bytes, shape.shape, element);
  } else {
    source.read(elements, bytes, shape.bytes);
  }
  if (big_endian)
    for (uint64_t i = 0; i < shape.bytes; i += element) std::reverse(bytes + i, bytes + i + element);
  normalise_booleans(t);
  return t;
}

std::string npy_header(DType dtype, const Shape& shape) {
  const Kind* kind = std::ranges::find(kKinds, dtype, &Kind::dtype);
  std::string text = "{'descr': '" + std::string(size_of(dtype) == 1 ? "|" : "<") + std::string(kind->text) +
                     "', 'fortran_order': False, 'shape': (";
  for (size_t d = 0; d < shape.size(); ++d) text += (d == 0 ? "" : " ") + std::to_string(shape[d]) + ",";
  if (shape.size() > 1) text.pop_back();
  text += "), }";
  std::string out(kMagic);
  out += '\x01';
  out += '\0';
  const size_t whole = (out.size() + 2 + text.size() + 1 + 63) / 64 * 64;  // elements begin at a multiple of 64
  append_little_endian(out, whole - out.size() - 2, 2);
  out += text;
  out.resize(whole - 1, ' ');
  return out + '\n';
}

}  // namespace detail

using namespace detail;

Tensor load_npy(const std::string& path, Location at) {
  const FileContext context{"load_npy", path, at};
  const InputFile file(context);
  return read_npy(context, file);
}

void save_npy(const std::string& path, const Tensor& x, Location at) {
  const FileContext context{"save_npy", path, at};
  check_defined(context, x);
  with_elements(x, "save_npy", at, [&](const void* bytes, uint64_t n) {
    OutputFile file(context);
    file.write(npy_header(x.dtype(), x.shape()));
    file.write(bytes, n);
    file.complete();
  });
}

}  // namespace jot
