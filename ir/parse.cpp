#include <algorithm>
#include <charconv>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "ir/builder.h"
#include "ir/fork.h"
#include "ir/print.h"
#include "ir/reader.h"

namespace jot::ir {
namespace {

// Location::file needs static storage duration, so names of files that a text mentions are kept.
const char* keep_file_name(const std::string& name) {
  static constinit std::mutex mutex;
  ForkSafeLock lock(mutex);
  static auto* names = new std::unordered_set<std::string>;
  return names->insert(name).first->c_str();
}

class Parser {
 public:
  // depth: how many graphs the region is inside of.
  explicit Parser(Reader& in, int depth = 0) : in_(in), depth_(depth) {}

  // A whole text.
  Graph run() {
    if (!in_.accept_word("func")) in_.expected("'func'");
    Graph g = body();
    if (!in_.done()) in_.expected("the end of the text");
    return g;
  }

  // A graph without its first word: a region.
  Graph body() {
    in_.expect("@", "before the name of the function");
    builder_ = Builder(name("the name of the function"), Builder::Sharing::off);
    parameters();
    std::vector<Type> results = result_types();
    in_.expect("{", "before the body");
    while (!in_.next_is("}") && !in_.done()) {
      if (in_.accept_word("return")) return finish(results);
      if (in_.accept_word("writeback"))
        writeback();
      else
        node();
    }
    in_.expected("a node, 'writeback' or 'return'");
  }

 private:
  std::string name(const std::string& what) {
    if (in_.peek() == '"') return in_.quoted(what);
    std::string_view word = in_.word();
    if (word.empty()) in_.expected(what);
    return std::string(word);
  }

  static bool starts_with_digit(const std::string& s) { return s[0] >= '0' && s[0] <= '9'; }

  // The name of a value after '%'. A parameter's name that looks like a number is quoted, and keeps one quote here.
  std::string value_key() {
    bool quoted = in_.peek() == '"';
    std::string key = name("the name of a value");
    if (key.empty()) in_.fail("expected a name that is not empty");
    return quoted && starts_with_digit(key) ? '"' + key : key;
  }

  void parameters() {
    in_.expect("(", "before the parameters");
    if (in_.accept(")")) return;
    do {
      size_t begin = in_.position();
      in_.expect("%", "before the name of a parameter");
      std::string key = value_key();
      Type t = type_after_colon();
      if (t.token) in_.fail_at(begin, "a parameter cannot be a token");
      annotations();
      set_origin();
      bool numbered = starts_with_digit(key), quoted = key[0] == '"';
      define(begin, key, builder_.param(t, numbered ? "" : quoted ? key.substr(1) : key));
    } while (in_.accept(","));
    in_.expect(")", "after the parameters");
  }

  std::vector<Type> result_types() {
    std::vector<Type> types;
    in_.expect("->", "before the types of the results");
    in_.expect("(", "before the types of the results");
    if (in_.accept(")")) return types;
    do types.push_back(type());
    while (in_.accept(","));
    in_.expect(")", "after the types of the results");
    return types;
  }

  struct Declared {
    size_t begin;
    std::string key;
    Type type;
  };

  // %3: f32[2] = op(%1, %2) {key=value} loc("file":1) scope("name"); of several results: %3: f32[2], %4: i64[2] = ...
  void node() {
    if (!in_.next_is("%")) in_.expected("a node, 'writeback' or 'return'");
    std::vector<Declared> declared;
    do {
      size_t begin = in_.position();
      in_.expect("%", "before the name of a result");
      std::string key = value_key();
      declared.push_back({begin, std::move(key), type_after_colon()});
    } while (in_.accept(","));
    in_.expect("=", "after the type");
    size_t op_begin = in_.position();
    auto [op, in_place] = operation();
    in_.expect("(", "after the name of the op");
    std::vector<Value> operands = value_list(")");
    in_.expect(")", "after the operands");
    AttrSource attrs;
    regions_.clear();
    std::vector<int64_t> words = attributes(op, declared[0].type.dtype);
    attrs.words = words;
    attrs.regions = regions_;
    annotations();
    set_origin();
    Value v;
    try {
      v = builder_.emit(op, operands, attrs, in_place);
    } catch (const InternalError&) {
      throw;
    } catch (const Error& e) {
      in_.fail_at(op_begin, e.what());
    }
    uint32_t results = builder_.graph().results(v);
    if (results != declared.size())
      in_.fail_at(declared[0].begin, std::string(name_of(op)) + " has " + std::to_string(results) +
                                         " result(s), declared are " + std::to_string(declared.size()));
    for (Value i = 0; i < results; ++i) {
      const Declared& d = declared[i];
      if (builder_.type(v + i) != d.type)
        in_.fail_at(op_begin, "the type of " + std::string(name_of(op)) +
                                  (i ? "'s result " + std::to_string(i) : std::string()) + " is " +
                                  to_string(builder_.type(v + i)) + ", declared as " + to_string(d.type));
      define(d.begin, d.key, v + i);
    }
  }

  struct Operation {
    Op op;
    bool in_place;
  };
  Operation operation() {
    size_t begin = in_.position();
    std::string_view word = in_.word();
    bool in_place = word.ends_with('_');
    if (in_place) word.remove_suffix(1);
    std::optional<Op> op = op_named(word);
    if (!op || *op == Op::param_op || *op == Op::result_op) in_.expected_at(begin, "an op");
    return {*op, in_place};
  }

  // Attributes may come in any order; a missing or a repeated one is an error.
  std::vector<int64_t> attributes(Op op, DType dtype) {
    std::span<const Key> keys = schema(op);
    std::vector<std::vector<int64_t>> values(keys.size());
    std::vector<bool> seen(keys.size(), false);
    size_t begin = in_.position();
    if (in_.accept("{") && !in_.accept("}")) {
      do {
        size_t key_begin = in_.position();
        std::string_view word = in_.word();
        auto key = std::ranges::find_if(keys, [&](Key k) { return name_of(k) == word; });
        size_t i = static_cast<size_t>(key - keys.begin());
        if (key == keys.end())
          in_.expected_at(key_begin, "an attribute of " + std::string(name_of(op)) + " (" + names_of(keys) + ")");
        if (seen[i]) in_.fail_at(key_begin, "the attribute '" + std::string(word) + "' is given twice");
        in_.expect("=", "after the name of the attribute");
        attribute(*key, dtype, values[i]);
        seen[i] = true;
      } while (in_.accept(","));
      in_.expect("}", "after the attributes");
    }
    std::vector<int64_t> words;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!seen[i])
        in_.fail_at(begin, "expected attribute '" + std::string(name_of(keys[i])) + "' of " + std::string(name_of(op)));
      words.insert(words.end(), values[i].begin(), values[i].end());
    }
    return words;
  }

  static std::string names_of(std::span<const Key> keys) {
    std::string names;
    for (Key k : keys) names += (names.empty() ? "" : ", ") + std::string(name_of(k));
    return names.empty() ? "none" : names;
  }

  void attribute(Key key, DType dtype, std::vector<int64_t>& words) {
    switch (kind_of(key)) {
      case AttrKind::integer:
        words.push_back(in_.integer("an integer"));
        break;
      case AttrKind::ints: {
        size_t begin = in_.position();
        list(words, [&] { return small_integer(); });
        if (key == Key::shape) check_shape(begin, Ints(words).subspan(1));
        break;
      }
      case AttrKind::pair:
        in_.expect("[", "before a pair of lists");
        list(words, [&] { return small_integer(); });
        in_.expect(",", "between the lists");
        list(words, [&] { return small_integer(); });
        in_.expect("]", "after a pair of lists");
        break;
      case AttrKind::data:
        list(words, [&] { return in_.element(dtype); });
        break;
      case AttrKind::dtype:
        words.push_back(static_cast<int64_t>(dtype_name()));
        break;
      case AttrKind::mode:
        words.push_back(
            one_of<IndexMode>("a mode", {IndexMode::check, IndexMode::clip, IndexMode::fill, IndexMode::wrap}));
        break;
      case AttrKind::direction: {
        using enum Direction;
        words.push_back(one_of<Direction>("a direction", {eq, ne, lt, le, gt, ge}));
        break;
      }
      case AttrKind::region:
        words.push_back(region());
        break;
      case AttrKind::regions:
        list(words, [&] { return region(); });
        break;
    }
  }

  // Its position among the regions of the op that is read.
  int64_t region() {
    if (depth_ == kMaxDepth) in_.fail("regions are nested more than " + std::to_string(kMaxDepth) + " deep");
    Graph g = Parser(in_, depth_ + 1).body();
    regions_.push_back(g);
    return static_cast<int64_t>(regions_.size()) - 1;
  }

  std::vector<int64_t> numbers() {
    std::vector<int64_t> words;
    list(words, [&] { return in_.integer("an integer"); });
    words.erase(words.begin());
    return words;
  }

  // Appends the length and the elements.
  template <class Element>
  void list(std::vector<int64_t>& words, Element element) {
    in_.expect("[", "before a list");
    size_t length = words.size();
    words.push_back(0);
    if (in_.accept("]")) return;
    do {
      words.push_back(element());
      ++words[length];
    } while (in_.accept(","));
    in_.expect("]", "after a list");
  }

  // Of axes, extents, offsets: bounded, so that arithmetic on them cannot overflow.
  int64_t small_integer() {
    size_t begin = in_.position();
    int64_t x = in_.integer("an integer");
    if (x > kMaxNumel || x < -kMaxNumel) in_.fail_at(begin, "the number is too large: at most 2^48");
    return x;
  }

  template <class E>
  int64_t one_of(const std::string& what, std::initializer_list<E> values) {
    size_t begin = in_.position();
    std::string_view word = in_.word();
    std::string names;
    for (E e : values) {
      if (name_of(e) == word) return static_cast<int64_t>(e);
      names += (names.empty() ? "" : ", ") + std::string(name_of(e));
    }
    in_.expected_at(begin, what + " (" + names + ")");
  }

  void check_shape(size_t begin, Ints extents) const {
    int64_t numel = 1;
    for (int64_t d : extents) {
      if (d < 0) in_.fail_at(begin, "expected extents of at least 0, got " + std::to_string(d));
      if (d != 0 && numel > kMaxNumel / d) in_.fail_at(begin, "the shape has too many elements: at most 2^48");
      numel *= std::max<int64_t>(d, 1);
    }
  }

  DType dtype_name() {
    size_t begin = in_.position();
    std::string_view word = in_.word();
    for (int d = 0; d <= static_cast<int>(DType::f64); ++d)
      if (to_string(static_cast<DType>(d)) == word) return static_cast<DType>(d);
    in_.expected_at(begin, "a type (bool, i32, i64, f32, f64, ...)");
  }

  Type type_after_colon() {
    in_.expect(":", "before a type");
    return type();
  }
  Type type() {
    if (in_.accept_word("token")) return token_type();
    Type t;
    t.dtype = dtype_name();
    size_t begin = in_.position();
    std::vector<int64_t> extents;
    list(extents, [&] { return small_integer(); });
    check_shape(begin, Ints(extents).subspan(1));
    t.shape = Shape(Ints(extents).subspan(1));
    return t;
  }

  Value value() {
    size_t begin = in_.position();
    in_.expect("%", "before the name of a value");
    std::string key = value_key();
    std::optional<Value> found = defined(key);
    if (!found)
      in_.fail_at(begin, "no value %" + key + " is defined before its use" +
                             (depth_ > 0 ? "; a region sees only its own parameters and values" : ""));
    return *found;
  }

  std::vector<Value> value_list(std::string_view end) {
    std::vector<Value> values;
    if (in_.next_is(end)) return values;
    do values.push_back(value());
    while (in_.accept(","));
    return values;
  }

  // Numbers that come in order, as they are printed, need no table.
  static std::optional<size_t> number_of(const std::string& key) {
    size_t n = 0;
    auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), n);
    if (error != std::errc() || end != key.data() + key.size() || (key[0] == '0' && key.size() > 1)) return {};
    return n;
  }
  std::optional<Value> defined(const std::string& key) const {
    std::optional<size_t> number = number_of(key);
    if (number && *number < numbered_.size()) return numbered_[*number];
    auto found = named_.find(key);
    if (found == named_.end()) return {};
    return found->second;
  }
  void define(size_t begin, const std::string& key, Value v) {
    if (defined(key)) in_.fail_at(begin, "value %" + key + " is defined twice");
    if (number_of(key) == numbered_.size())
      numbered_.push_back(v);
    else
      named_.emplace(key, v);
  }

  // loc("file":1) scope("name"), each optional; loc("file":1, "other":2) of equal nodes that became one.
  void set_origin() {
    builder_.set_origin(location_, scope_);
    if (call_ != Call{}) builder_.set_call(call_);
    if (!further_lines_.empty()) builder_.set_further_lines(further_lines_);
  }

  Location line() {
    std::string file = in_.quoted("a file name in quotes");
    in_.expect(":", "after the file name");
    size_t begin = in_.position();
    int64_t line = in_.integer("a line number");
    if (line < 0 || line > std::numeric_limits<int>::max()) in_.fail_at(begin, "expected a line number");
    return {keep_file_name(file), static_cast<int>(line)};
  }

  void annotations() {
    location_ = Location();
    further_lines_.clear();
    scope_.clear();
    if (in_.accept_word("loc")) {
      in_.expect("(", "after 'loc'");
      location_ = line();
      while (in_.accept(",")) further_lines_.push_back(line());
      in_.expect(")", "after the line number");
    }
    if (in_.accept_word("scope")) {
      in_.expect("(", "after 'scope'");
      scope_ = in_.quoted("a scope in quotes");
      in_.expect(")", "after the scope");
    }
    call_ = {};
    if (in_.accept_word("call")) {
      in_.expect("(", "after 'call'");
      call_.function = in_.quoted("the name of a function in quotes");
      in_.expect(",", "after the function");
      call_.dims = numbers();
      in_.expect(",", "after the dims");
      call_.lanes = numbers();
      if (in_.accept(",")) call_.demand = in_.quoted("what is demanded of the data in quotes");
      in_.expect(")", "after the lanes");
    }
  }

  void writeback() {
    size_t begin = in_.position();
    Value input = value();
    auto inputs = builder_.graph().inputs();
    auto at = std::ranges::find(inputs, input);
    if (at == inputs.end()) in_.fail_at(begin, "expected a parameter");
    auto position = static_cast<uint32_t>(at - inputs.begin());
    if (!writebacks_.empty() && writebacks_.back() >= position)
      in_.fail_at(begin, "writebacks must be in the order of the parameters, each once");
    in_.expect("=", "after the parameter");
    begin = in_.position();
    Value v = value();
    check_type(begin, v, builder_.type(input), "the parameter");
    writebacks_.push_back(position);
    written_.push_back(v);
  }

  void check_type(size_t begin, Value v, const Type& wanted, const std::string& what) const {
    if (builder_.type(v) != wanted)
      in_.fail_at(begin,
                  "expected the type of " + what + ", " + to_string(wanted) + ", got " + to_string(builder_.type(v)));
  }

  Graph finish(const std::vector<Type>& types) {
    std::vector<Value> outputs;
    if (!in_.next_is("}")) {
      do {
        size_t begin = in_.position();
        outputs.push_back(value());
        if (outputs.size() <= types.size())
          check_type(begin, outputs.back(), types[outputs.size() - 1], "result " + std::to_string(outputs.size() - 1));
      } while (in_.accept(","));
    }
    if (outputs.size() != types.size())
      in_.fail("expected " + std::to_string(types.size()) + " result(s), got " + std::to_string(outputs.size()));
    in_.expect("}", "after the results");
    outputs.insert(outputs.end(), written_.begin(), written_.end());
    return builder_.finish(outputs, writebacks_);
  }

  static constexpr int kMaxDepth = 100;

  Reader& in_;
  int depth_;
  Builder builder_;
  std::vector<Graph> regions_;  // of the op that is read
  std::vector<Value> numbered_;
  std::unordered_map<std::string, Value> named_;
  Location location_;
  std::vector<Location> further_lines_;
  std::string scope_;
  Call call_;
  std::vector<uint32_t> writebacks_;
  std::vector<Value> written_;
};

}  // namespace

Graph parse(std::string_view text) {
  Reader in(text);
  Graph g = Parser(in).run();
  verify(g);
  return g;
}

}  // namespace jot::ir
