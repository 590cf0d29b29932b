// Files that are truncated, forged or changed at random: an error that names file, key, expected and got, or a tensor;
// never a crash.
#include <functional>
#include <random>

#include "files.h"

using namespace jot;
using namespace jot::test;
using doctest::Contains;
using namespace std::string_literals;

namespace {

std::string number(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i, value >>= 8) out += static_cast<char>(value & 255);
  return out;
}
std::string safetensors(const std::string& header, const std::string& elements) {
  return number(header.size(), 8) + header + elements;
}
std::string npy(const std::string& header, const std::string& elements, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  return out + number(header.size(), version == 1 ? 2 : 4) + header + elements;
}

struct Forged {
  std::string bytes, text;
};
void check_refused(const std::vector<Forged>& files, const std::function<void(const std::string&)>& load) {
  Folder folder;
  const std::string path = folder / "forged";
  for (const Forged& f : files) {
    put(path, f.bytes);
    CAPTURE(f.text);
    std::string what = "nothing was thrown";
    try {
      load(path);
    } catch (const FileError& e) {
      what = e.what();
    }
    CAPTURE(what);
    CHECK(what.find("'" + path + "': " + f.text) != std::string::npos);
  }
}

const std::string kFour = "12345678abcdefgh";

}  // namespace

TEST_CASE("Forged headers of safetensors") {
  auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return safetensors(R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}",
                       kFour);
  };
  const std::string header = "expected a JSON header of tensors, got ";
  check_refused(
      {{"", "expected 8 bytes for the size of the header, got a file of 0"},
       {"1234567", "expected 8 bytes for the size of the header, got a file of 7"},
       {number(uint64_t{1} << 62, 8) + "{}", "expected a header of at most 2 bytes, got one of 4611686018427387904"},
       {number(~uint64_t{0}, 8) + "{}", "expected a header of at most 2 bytes, got one of 18446744073709551615"},
       {entry("F32", "[4611686018427387904]", "[0,16]"), "key 'w': the shape [4611686018427387904] is too large"},
       {entry("F32", "[4294967296,4294967296]", "[0,16]"), "key 'w': the shape [4294967296,4294967296] is too large"},
       {entry("F32", "[18446744073709551616]", "[0,16]"), header + "an integer that is too large"},
       {entry("F32", "[0,4611686018427387904]", "[0,0]"), "key 'w': the shape [0,4611686018427387904] is too large"},
       {entry("F32", "[1000000000]", "[0,4000000000]"),
        "key 'w': expected data_offsets of 4000000000 bytes for f32[1000000000], within 16, got [0, 4000000000]"},
       {entry("F32", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4]", "[0,16]"), "key 'w': expected at most 16 axes, got 17"},
       {entry("F32", "[2]", "[0,16]"), "key 'w': expected data_offsets of 8 bytes for f32[2], within 16, got [0, 16]"},
       {entry("F32", "[2]", "[16,8]"), "key 'w': expected data_offsets of 8 bytes for f32[2], within 16, got [16, 8]"},
       {entry("F32", "[2]", "[8]"), "key 'w': expected data_offsets of 8 bytes for f32[2], within 16, got 1 numbers"},
       {entry("F32", "[2]", "[8,16]"),
        "key 'w': expected data_offsets that begin at 0, where the tensor before ends, got 8"},
       {entry("F32", "[2]", "[0,8]"), "expected 8 bytes of elements, got 16"},
       {entry("F128", "[1]", "[0,16]"),
        "key 'w': expected a dtype of BOOL, U8, I32, I64, BF16, F16, F32, F64, got 'F128'"},
       {entry("F32", "[-4]", "[0,16]"), header + "no integer of at least 0"},
       {entry("F32", "[4.0]", "[0,16]"), header + "no ']'"},
       {entry("F32", "[04]", "[0,16]"), header + "an integer that begins with 0"},
       {entry("F32", "4", "[0,16]"), header + "no '['"},
       {safetensors(R"({"w":{"dtype":"F32","shape":[4]}})", kFour),
        header + "not all of 'dtype', 'shape' and 'data_offsets' in the key 'w'"},
       {safetensors(R"({"w":{"dtype":"F32","dtype":"F32"}})", kFour),
        header + "'dtype' in the key 'w', which is unknown or stands there twice"},
       {safetensors(R"({"w":{"kind":1}})", kFour), header + "'kind' in the key 'w'"},
       {safetensors(
            R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}})",
            kFour),
        header + "the key 'w' a second time"},
       {safetensors(
            R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"v":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}})",
            kFour),
        "key 'v': expected data_offsets that begin at 8, where the tensor before ends, got 4"},
       {safetensors("{} x", ""), header + "more after the object"},
       {safetensors("[]", ""), header + "no '{'"},
       {safetensors("{", ""), header + "no '\"'"},
       {safetensors("{\"w", ""), header + "a string that does not end"},
       {safetensors("{\"\\u12\":1}", ""), header + "an escape without four digits"},
       {safetensors("{\"\\ud800x\":1}", ""), header + "half a surrogate pair"},
       {safetensors("{\"\xff\":1}", ""), header + "a string that is not UTF-8"},
       {safetensors(std::string("{}\0", 3), ""), header + "more after the object"},
       {safetensors(R"({"__metadata__":{"a":1}})", ""), header + "no '\"'"},
       {bytes_in(data("int16.safetensors")),
        "key 'x': expected a dtype of BOOL, U8, I32, I64, BF16, F16, F32, F64, got 'I16'"}},
      [](const std::string& path) { load_safetensors(path); });
  // What is unusual and right: escapes, spaces, any order, tensors without elements anywhere.
  Folder folder;
  put(folder / "x",
      safetensors(
          R"( { "\u0061\ud83d\ude00" : {"shape":[ 2 ] ,"data_offsets":[0,2],"dtype":"BOOL"}, "e":{"dtype":"F64","shape":[0],"data_offsets":[2,2]} } )",
          "\x07\x00"s));
  TensorDict t = load_safetensors(folder / "x");
  CHECK_SAME(t.at("a\xf0\x9f\x98\x80"), tensor({true, false}));
  CHECK_EQ(t.at("e").shape(), Shape{0});
}

TEST_CASE("Forged headers of .npy") {
  auto header = [](const std::string& descr, const std::string& shape, const std::string& order = "False") {
    return npy("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }", kFour);
  };
  const std::string wrong = "expected a header {'descr': ..., 'fortran_order': ..., 'shape': ...}, got one with ";
  check_refused(
      {{"", "is no .npy array: expected one that begins with \\x93NUMPY"},
       {"\x93NUMPX\x01\x00\x00\x00"s, "is no .npy array"},
       {npy("{}", "", 4), "expected version 1, 2 or 3 of the .npy format, got 4"},
       {"\x93NUMPY\x02\x00\x00\x00"s, "ends within its header"},
       {"\x93NUMPY\x02\x00\xff\xff\xff\xff{}"s, "expected a header of at most 2 bytes, got one of 4294967295"},
       {npy(std::string(20000, ' '), kFour), "expected a header of at most 10000 bytes, got one of 20000"},
       {header("'<f4'", "(4611686018427387904,)"), "the shape [4611686018427387904] is too large"},
       {header("'<f4'", "(1000000, 1000000)"),
        "expected 4000000000000 bytes of elements for f32[1000000,1000000], got 16"},
       {header("'<f4'", "(3,)"), "expected 12 bytes of elements for f32[3], got 16"},
       {header("'<f4'", "(0, 99)"), "expected 0 bytes of elements for f32[0,99], got 16"},
       {header("'<f4'", "(99999999999999999999,)"), wrong + "an integer that is too large"},
       {header("'<f4'", "(-4,)"), wrong + "no integer of at least 0"},
       {header("'<f4'", "(4"), wrong + "no integer of at least 0"},
       {header("'<f4'", "4"), wrong + "no '('"},
       {header("'<f4'", "(4,)", "Maybe"), wrong + "neither True nor False"},
       {header("'<c8'", "(2,)"),
        "expected a dtype of b1, u1, i4, i8, V2, f2, f4, f8, got '<c8'; convert it with x.astype"},
       {header("[('a', '<f4')]", "(4,)"), wrong + "a structured dtype"},
       {header("'<f4", "(4,)"), wrong},
       {header("''", "(4,)"), "expected a dtype of b1, u1, i4, i8, V2, f2, f4, f8, got ''"},
       {npy("{'descr': '<f4'}", kFour), wrong + "not all of 'descr', 'fortran_order' and 'shape'"},
       {npy("{'descr': '<f4', 'descr': '<f4'}", kFour),
        wrong + "the key 'descr', which is unknown or stands there twice"},
       {npy("{'x': 1}", kFour), wrong + "the key 'x'"},
       {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4,)} {", kFour), wrong + "more after the dictionary"},
       {bytes_in(data("complex.npy")), "expected a dtype of "},
       {bytes_in(data("structured.npy")), wrong + "a structured dtype"}},
      [](const std::string& path) { load_npy(path); });
}

TEST_CASE("Forged archives") {
  const std::string stored = bytes_in(data("stored.npz")), deflated = bytes_in(data("deflated.npz"));
  // The field of the first entry of the central directory at that place.
  auto with = [](std::string bytes, size_t place, uint64_t value, int n) {
    bytes.replace(bytes.find("PK\x01\x02") + place, static_cast<size_t>(n), number(value, n));
    return bytes;
  };
  auto with_end = [](std::string bytes, size_t place, uint64_t value, int n) {
    bytes.replace(bytes.rfind("PK\x05\x06") + place, static_cast<size_t>(n), number(value, n));
    return bytes;
  };
  std::string flipped = stored;
  flipped[stored.find("NUMPY") + 130] ^= 1;
  check_refused(
      {{"", "is no .npz archive: it has no end of a central directory"},
       {stored.substr(0, stored.size() - 1), "is no .npz archive: it has no end of a central directory"},
       {with_end(stored, 10, 4, 2), "expected 4 entries in the central directory, got 3"},
       {with_end(stored, 10, 0xffff, 2), "expected an archive below 4 GiB, got one of ZIP64"},
       {with_end(stored, 16, 0xfffffff0, 4), "expected a central directory within the file, got one of "},
       {with_end(stored, 12, 0xfffffff0, 4),
        "expected a central directory within the file, got one of 4294967280 bytes"},
       {with(stored, 42, 0xfffffff0, 4), "key 'x': expected a local header within the file, got one at 4294967280"},
       {with(stored, 42, 7, 4), "key 'x': expected a local header at 7"},
       {with(stored, 20, 0xf0000000, 4), "key 'x': expected 4026531840 bytes at "},
       {with(stored, 24, 0xf0000000, 4), "key 'x': expected 4026531840 bytes, got 176"},
       {with(deflated, 24, 0xf0000000, 4),
        "key 'x': its compressed bytes are damaged: expected a deflated stream of 4026531840 bytes"},
       {with(deflated, 20, 20, 4), "key 'x': its compressed bytes are damaged"},
       {with(stored, 10, 99, 2), "key 'x': expected stored or deflated bytes, got compression method 99"},
       {with(stored, 8, 1, 2), "it is encrypted"},
       {with(stored, 46 + 4, 'Y', 1), "key 'x.npY': is no .npy array"},
       {with(stored, 46, 'y', 1), "key 'y': stands there twice"},
       {flipped, "key 'x': its bytes are damaged: their checksum is not that of the directory"}},
      [](const std::string& path) { load_npz(path); });
}

// Each byte of a file changed, cut and inserted at random, many times: an Error or tensors, and memory in order, which
// the sanitizers see.
TEST_CASE("Files damaged at random never crash") {
  Folder folder;
  const std::string path = folder / "damaged";
  struct Format {
    const char* file;
    std::function<void(const std::string&)> load;
  };
  const Format formats[] = {{"torch.safetensors", [](const std::string& p) { load_safetensors(p); }},
                            {"big_endian_fortran.npy", [](const std::string& p) { load_npy(p); }},
                            {"stored.npz", [](const std::string& p) { load_npz(p); }},
                            {"deflated.npz", [](const std::string& p) { load_npz(p); }}};
  std::mt19937 random(20);
  auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  size_t refused = 0, loaded = 0;
  for (const Format& format : formats) {
    const std::string whole = bytes_in(data(format.file));
    REQUIRE(!whole.empty());
    for (int i = 0; i < 600; ++i) {
      std::string bytes = whole;
      // Nearer to the beginning (or, of archives, to the end), where the headers are, half of the time.
      for (size_t changes = 1 + below(3); changes-- > 0 && !bytes.empty();) {
        const size_t near = std::min<size_t>(bytes.size(), 400);
        size_t at = below(2) == 0 ? below(bytes.size()) : below(2) == 0 ? below(near) : bytes.size() - 1 - below(near);
        switch (below(5)) {
          case 0:
            bytes.resize(at);
            break;
          case 1:
            bytes.insert(at, below(40), static_cast<char>(random()));
            break;
          case 2:
            bytes.erase(at, below(20));
            break;
          case 3:
            bytes[at] = static_cast<char>(random());
            break;
          default:
            bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(8));
        }
      }
      put(path, bytes);
      try {
        format.load(path);
        ++loaded;
      } catch (const Error& e) {
        ++refused;
        REQUIRE(dynamic_cast<const FileError*>(&e) != nullptr);
      }
    }
    // Truncations.
    for (size_t size = 0; size < whole.size(); size += 1 + size / 64) {
      put(path, whole.substr(0, size));
      CHECK_THROWS_AS(format.load(path), FileError);
    }
  }
  CHECK(refused > 1200);  // the others changed elements, texts or spaces alone
  CHECK(loaded > 20);
}
