#include "backends/cpu/ship/c_kernel.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <optional>

#include "backends/cpu/kernel/math.h"
#include "jot/error.h"

namespace jot::cpu {

namespace {

constexpr size_t kPiece = 600;  // instructions of a function, about

bool is_memory(KOp op) { return op >= KOp::load && op <= KOp::store_one; }
bool stores(KOp op) { return op >= KOp::store && op <= KOp::store_one; }

// An integer: of which compilers warn.
bool compares_itself(const Kernel& k, const KInstr& in) {
  return in.op == KOp::cmp && in.a == in.b && !is_float(k.instrs[in.a].type);
}

std::string_view element_type(const KInstr& in) {
  if (in.type == KType::mask) return "unsigned char";
  switch (in.memory) {
    case KMem::own:
      return c_type(in.type);
    case KMem::byte:
      return "uint8_t";
    case KMem::word:
    case KMem::half:
      return "uint16_t";
  }
  return {};
}

class Translation {
 public:
  Translation(const CKernel& kernel, CParts& parts)
      : c_(kernel),
        k_(kernel.kernel),
        parts_(parts),
        known_(k_.instrs.size()),
        root_(k_.instrs.size(), 0),
        piece_(k_.instrs.size(), kMain),
        within_(k_.instrs.size(), 0),
        laned_(k_.instrs.size(), 0) {}

  CFunction run() {
    find_known();
    find_parameters();
    find_needed();
    find_lanes();
    if (k_.lanes == 1) cut();
    share();
    emit();
    return std::move(result_);
  }

 private:
  static constexpr uint32_t kMain = 0;  // the piece of what stays in the function itself; others are functions

  // ---- what the function takes

  void find_parameters() {
    std::map<uint32_t, CFunction::Parameter> found;
    for (const KInstr& in : k_.instrs) {
      result_.fails |= in.op == KOp::check;
      if (!is_memory(in.op) || in.op == KOp::row) continue;
      const uint32_t arg = root_[in.a];
      if (arg == 0) internal_error("memory is addressed from an argument", c_.name);
      const std::string type(element_type(in));
      auto [at, fresh] = found.try_emplace(arg, CFunction::Parameter{arg, type, false});
      if (at->second.type != type || in.imm % bytes_in_memory(in) != 0) at->second.type = "char";
      at->second.written |= stores(in.op);
    }
    for (auto& [arg, parameter] : found) result_.parameters.push_back(parameter);
    parameter_of_.assign(static_cast<size_t>(k_.num_args) + 1, nullptr);
    for (const CFunction::Parameter& p : result_.parameters) parameter_of_[p.arg] = &p;
  }
  const std::string& name_of_argument(uint32_t arg) const { return c_.args[arg - 1].name; }

  std::string declared_parameters() const {
    std::string text;
    for (const CFunction::Parameter& p : result_.parameters) {
      if (!text.empty()) text += ", ";
      text += (p.written ? "" : "const ") + p.type + "* " + (p.written ? "restrict " : "") + name_of_argument(p.arg);
    }
    return text;
  }

  // ---- scalars that are known

  void find_known() {
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      const KInstr& in = k_.instrs[i];
      known_[i] = known(in);
      if (in.op == KOp::arg && !known_[i]) root_[i] = static_cast<uint32_t>(in.imm);
      if (in.op == KOp::iadd) root_[i] = root_[in.a];
    }
  }
  std::optional<int64_t> known(const KInstr& in) const {
    if (in.op == KOp::iconst) return in.imm;
    if (in.op == KOp::arg) {
      if (in.imm == 0 || c_.args.empty() || !c_.args[static_cast<size_t>(in.imm) - 1].is_number) return {};
      return c_.args[static_cast<size_t>(in.imm) - 1].number;
    }
    const bool pairs = in.op == KOp::iadd || in.op == KOp::isub || in.op == KOp::imul || in.op == KOp::imin;
    if ((!pairs && in.op != KOp::imuli) || !known_[in.a] || (pairs && !known_[in.b])) return {};
    const int64_t x = known_[in.a].value_or(0), y = pairs ? known_[in.b].value_or(0) : in.imm;
    const auto a = static_cast<uint64_t>(x), b = static_cast<uint64_t>(y);
    if (in.op == KOp::imin) return std::min(x, y);
    return static_cast<int64_t>(in.op == KOp::iadd ? a + b : in.op == KOp::isub ? a - b : a * b);
  }

  // Calls f(bytes) for what is added to an argument on the way to a pointer.
  template <class F>
  void for_each_step(uint32_t pointer, F f) const {
    for (; k_.instrs[pointer].op == KOp::iadd; pointer = k_.instrs[pointer].a) f(k_.instrs[pointer].b);
  }
  // So many bytes in elements: a value and what it is multiplied with. 0: it is to be divided.
  struct Elements {
    uint32_t value;
    int64_t times;
  };
  Elements in_elements(uint32_t bytes, int64_t size) const {
    const KInstr& in = k_.instrs[bytes];
    return in.op == KOp::imuli && in.imm % size == 0 ? Elements{in.a, in.imm / size} : Elements{bytes, 0};
  }

  // Calls f(value) for what a statement of one lane reads: it has no stride, and of a fault it tells the number alone.
  template <class F>
  void for_each_read(const KInstr& in, F f) const {
    KInstr read = in;
    if (in.op == KOp::check) read.b = read.c = read.d = kNone;
    if (compares_itself(k_, in)) read.a = read.b = kNone;
    if (is_memory(in.op) && in.op != KOp::row) {
      for_each_step(in.a, [&](uint32_t bytes) {
        if (!known_[bytes]) f(in_elements(bytes, bytes_in_memory(in)).value);
      });
      read.a = kNone;
      if (in.op != KOp::gather && in.op != KOp::scatter) read.c = kNone;
    }
    for_each_operand(k_, read, f);
  }

  void find_needed() {
    needed_.assign(k_.instrs.size(), 0);
    for (uint32_t i = static_cast<uint32_t>(k_.instrs.size()); i-- > 0;) {
      const KInstr& in = k_.instrs[i];
      const KKind kind = info(in.op).kind;
      needed_[i] |= kind == KKind::effect || kind == KKind::loop || in.op == KOp::input;
      if (needed_[i] && !known_[i]) for_each_read(in, [&](uint32_t v) { needed_[v] = 1; });
    }
  }

  // Nothing is written where it stands.
  bool is_silent(uint32_t i) const {
    const KOp op = k_.instrs[i].op;
    return known_[i] || !needed_[i] || root_[i] != 0 || op == KOp::arg || op == KOp::constant || op == KOp::mask_const;
  }

  // ---- lanes
  //
  // The turns of a vector loop are taken lane by lane, as those of a loop of one lane: lane l of the turn at j is turn
  // j + l. What stands outside of vector loops and differs from lane to lane, above all what they add to, is an array
  // with an element for each.

  void find_lanes() {
    if (k_.lanes == 1) return;
    uint32_t loop = kNone;
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      const KInstr& in = k_.instrs[i];
      if (in.op == KOp::endloop && in.a == loop) loop = kNone;
      within_[i] = loop != kNone;
      if (is_vector_loop(in.op)) loop = i;
      if (in.op == KOp::wloop || (in.op == KOp::any && within_[i])) internal_error("lanes on their own", c_.name);
    }
    for (bool more = true; more;) {
      more = false;
      auto mark = [&](uint32_t v) { more |= !std::exchange(laned_[v], 1); };
      for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
        const KInstr& in = k_.instrs[i];
        if (in.op == KOp::set && !within_[in.a] && (within_[i] || laned_[in.b])) mark(in.a);
        if (within_[i] || in.type <= KType::scalar || !has_value(in.op) || in.op == KOp::reduce) continue;
        bool some = in.op == KOp::lane_index || in.op == KOp::load;
        for_each_operand(k_, in, [&](uint32_t v) { some |= laned_[v]; });
        if (some) mark(i);
      }
    }
  }
  // A statement for each lane.
  bool is_laned(uint32_t i) const {
    if (k_.lanes == 1 || within_[i]) return false;
    const KInstr& in = k_.instrs[i];
    return laned_[i] || (in.op == KOp::set && laned_[in.a]) || in.op == KOp::store ||
           (in.op == KOp::check && laned_[in.a]);
  }
  std::string lanes_loop(const std::string& end) { return "for (int l = 0; l < " + end + "; ++l) {"; }
  std::string num_lanes() const { return std::to_string(k_.lanes); }
  // Statements for each lane that follow each other are in one loop, behind the arrays that they fill.
  void enter_lanes() {
    if (lanes_at_ != std::string::npos) return;
    lanes_at_ = out_->size();
    line(lanes_loop(num_lanes()));
    ++depth_;
  }
  void leave_lanes() {
    if (lanes_at_ == std::string::npos) return;
    --depth_;
    line("}");
    out_->insert(lanes_at_, std::exchange(arrays_, {}));
    lanes_at_ = std::string::npos;
  }
  void declare_array(uint32_t v) {
    arrays_.append(2 * (depth_ - 1), ' ');
    arrays_ += std::string(c_type(k_.instrs[v].type)) + " " + local(v) + "[" + num_lanes() + "];\n";
  }
  // All lanes as one: by a function of an array of them.
  std::string folded(const KInstr& in, uint32_t i) {
    std::string array = local(in.a);
    const std::string type(c_type(k_.instrs[in.a].type));
    if (!laned_[in.a]) {
      array = "lanes_" + std::to_string(i);
      line(type + " " + array + "[" + num_lanes() + "];");
      line(lanes_loop(num_lanes()));
      line("  " + array + "[l] = " + ref(in.a) + ";");
      line("}");
    }
    const auto how = in.op == KOp::any ? KOp::mor : static_cast<KOp>(in.aux);
    const std::string sign = how == KOp::add ? "+" : how == KOp::mul ? "*" : how == KOp::mor ? "|" : "";
    std::string step = "x[l] " + sign + " x[l + n]";
    if (how == KOp::min || how == KOp::max) {
      const bool most = how == KOp::max;
      step = std::string("x[l] ") + (most ? "<" : ">") + " x[l + n] ? x[l + n] : x[l]";
      if (is_float(in.type))
        step = "x[l] != x[l] ? x[l] : x[l + n] != x[l + n] ? x[l + n] : x[l] == x[l + n] ? (signbit(x[l]) ? " +
               std::string(most ? "x[l + n] : x[l]" : "x[l] : x[l + n]") + ") : " + step;
    } else if (how != KOp::mor && !is_float(in.type)) {
      step = std::string(parts_.helper(std::string(info(how).name) + width(in.type))) + "(x[l], x[l + n])";
    }
    const std::string name = std::string(how == KOp::mor ? "any" : info(how).name) + "_lanes_" + num_lanes() +
                             (how == KOp::mor ? "" : "_" + member(type));
    if (parts_.is_new(name))
      parts_.add("\nstatic " + type + " " + name + "(const " + type + "* lanes) {\n  " + type + " x[" + num_lanes() +
                 "];\n  int l, n;\n  for (l = 0; l < " + num_lanes() +
                 "; ++l) x[l] = lanes[l];\n  for (n = " + std::to_string(k_.lanes / 2) +
                 "; n > 0; n /= 2) {\n    for (l = 0; l < n; ++l) x[l] = " + step + ";\n  }\n  return x[0];\n}\n");
    return name + "(" + array + ")";
  }

  // ---- pieces: of what stands outside loops or in the body of the one around all

  void cut() {
    if (k_.instrs.size() < 2 * kPiece) return;
    // The depth at which most instructions stand.
    std::vector<uint32_t> depth_of(k_.instrs.size());
    size_t count[2] = {0, 0};
    uint32_t depth = 0;
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      if (k_.instrs[i].op == KOp::endloop) --depth;
      depth_of[i] = depth;
      if (is_loop(k_.instrs[i].op)) ++depth;
      ++count[depth_of[i] > 0];
    }
    const uint32_t level = count[1] > count[0];
    uint32_t piece = 0, size = 0;
    bool within = false;  // a piece
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      const KOp op = k_.instrs[i].op;
      const bool ends = op == KOp::endloop && depth_of[i] < level, begins = is_loop(op) && depth_of[i] < level;
      if (depth_of[i] < level || ends || begins) {
        within = false;
        continue;
      }
      const bool between = depth_of[i] == level && op != KOp::endloop && op != KOp::row;
      if (!within || (size >= kPiece && between)) {
        ++piece;
        size = 0;
        within = true;
      }
      piece_[i] = piece;
      ++size;
    }
    pieces_ = piece;
  }

  // Values that other pieces need are in memory of all; of those that only pieces know it is reused.
  void share() {
    if (pieces_ == 0) return;
    const auto n = static_cast<uint32_t>(k_.instrs.size());
    std::vector<uint32_t> last(n, 0);  // piece that needs it
    std::vector<uint8_t> shared(n, 0), forever(n, 0);
    for (uint32_t i = 0; i < n; ++i) {
      auto use = [&](uint32_t v) {
        if (is_silent(v)) return;
        if (piece_[v] != piece_[i]) shared[v] = 1;
        if (piece_[i] == kMain || piece_[v] == kMain) forever[v] = 1;
        last[v] = std::max(last[v], piece_[i]);
      };
      if (!is_silent(i)) for_each_read(k_.instrs[i], use);
    }
    std::vector<std::vector<uint32_t>> ends(pieces_ + 2);
    slot_.assign(n, kNone);
    std::map<std::string_view, std::vector<uint32_t>> free;
    uint32_t at = 0;  // piece
    for (uint32_t i = 0; i < n; ++i) {
      for (; at < piece_[i]; ++at)
        for (uint32_t v : ends[at]) free[c_type(k_.instrs[v].type)].push_back(slot_[v]);
      if (!shared[i]) continue;
      const std::string_view type = c_type(k_.instrs[i].type);
      std::vector<uint32_t>& unused = free[type];
      const bool variable = k_.instrs[i].op == KOp::var;
      if (unused.empty() || forever[i] || variable) {
        slot_[i] = slots_[type]++;
      } else {
        slot_[i] = unused.back();
        unused.pop_back();
      }
      if (!forever[i] && !variable) ends[last[i]].push_back(i);
    }
  }

  // ---- names

  std::string local(uint32_t v) const {
    const KInstr& in = k_.instrs[v];
    if (is_loop(in.op)) return "i_" + std::to_string(v);
    std::string name(in.op == KOp::call || in.op == KOp::fixup       ? cpu::name(static_cast<KFn>(in.aux))
                     : is_memory(in.op)                              ? "x"
                     : in.type == KType::scalar && in.op != KOp::any ? "n"
                                                                     : info(in.op).name);
    return name + "_" + std::to_string(v);
  }
  std::string in_frame(uint32_t v) const {
    std::string type(c_type(k_.instrs[v].type));
    return std::string(now_ == kMain ? "s." : "s->") + member(type) + "[" + std::to_string(slot_[v]) + "]";
  }
  static std::string member(std::string_view type) {
    return type == "double" ? "f64" : type == "float" ? "f32" : type == "int" ? "b" : type == "int32_t" ? "i32" : "i64";
  }
  bool shared(uint32_t v) const { return !slot_.empty() && slot_[v] != kNone; }
  // A value where it is read.
  std::string ref(uint32_t v) {
    const KInstr& in = k_.instrs[v];
    if (known_[v]) return c_integer(*known_[v]);
    if (in.op == KOp::constant || in.op == KOp::mask_const)
      return parts_.literal(in.type, static_cast<uint64_t>(in.imm));
    if (shared(v) && (piece_[v] != now_ || in.op == KOp::var)) return in_frame(v);
    return laned_[v] ? local(v) + "[l]" : local(v);
  }

  // ---- statements

  void line(const std::string& text) {
    out_->append(2 * depth_, ' ');
    *out_ += text;
    *out_ += '\n';
  }
  void define(uint32_t v, const std::string& expression) {
    if (laned_[v]) {
      declare_array(v);
      return line(ref(v) + " = " + expression + ";");
    }
    line("const " + std::string(c_type(k_.instrs[v].type)) + " " + local(v) + " = " + expression + ";");
    if (shared(v)) line(in_frame(v) + " = " + local(v) + ";");
  }

  std::string bits(KType t, uint32_t v) {
    if (t == KType::f64) return std::string(parts_.helper("bits_of_f64")) + "(" + ref(v) + ")";
    if (t == KType::f32) return std::string(parts_.helper("bits_of_f32")) + "(" + ref(v) + ")";
    return ref(v);
  }
  std::string of_bits(KType t, const std::string& text) {
    if (t == KType::f64) return std::string(parts_.helper("f64_of")) + "(" + text + ")";
    if (t == KType::f32) return std::string(parts_.helper("f32_of")) + "(" + text + ")";
    return text;
  }
  static std::string unsigned_type(KType t) { return t == KType::i32 ? "uint32_t" : "uint64_t"; }
  static std::string width(KType t) { return t == KType::i32 ? "_i32" : "_i64"; }

  // The element that an instruction is about, or one so many behind it.
  std::string element(const KInstr& in, int64_t behind) {
    const CFunction::Parameter& p = *parameter_of_[root_[in.a]];
    const std::string& pointer = name_of_argument(p.arg);
    const int64_t size = bytes_in_memory(in);
    std::string base = pointer;
    const bool indexed = in.op == KOp::gather || in.op == KOp::scatter;
    const uint32_t by = indexed ? in.c : in.b;
    std::string index;
    int64_t fixed = behind;
    if (by != kNone && known_[by])
      fixed += *known_[by];
    else if (by != kNone)
      index = ref(by);
    for_each_step(in.a, [&](uint32_t bytes) {
      if (known_[bytes]) {
        fixed += *known_[bytes] / size;
        return;
      }
      const Elements e = in_elements(bytes, size);
      const std::string factor = e.times == 0   ? " / " + std::to_string(size)
                                 : e.times == 1 ? std::string()
                                                : " * " + c_integer(e.times);
      index = ref(e.value) + factor + (index.empty() ? "" : " + " + index);
    });
    if (p.type == "char") {
      const std::string type = (p.written ? "" : "const ") + std::string(element_type(in)) + "*";
      base = "((" + type + ")(" + pointer + " + " + c_integer(in.imm) + "))";
    } else {
      fixed += in.imm / size;
    }
    // Of all lanes outside of vector loops.
    if (k_.lanes > 1 && !within_lanes_ && (in.op == KOp::load || in.op == KOp::store))
      index = index.empty() ? "l" : index + " + l";
    if (index.empty())
      index = c_integer(fixed);
    else if (fixed != 0)
      index += (fixed < 0 ? " - " : " + ") + std::to_string(std::abs(fixed));
    return base + "[" + index + "]";
  }
  std::string loaded(const KInstr& in, int64_t behind) {
    const std::string x = element(in, behind);
    if (in.type == KType::mask) return x + " != 0";
    if (in.memory == KMem::half) return std::string(parts_.helper("f32_of_half")) + "(" + x + ")";
    return x;
  }
  void store(const KInstr& in, uint32_t value, int64_t behind) {
    std::string x = in.op == KOp::store_one && laned_[value] ? local(value) + "[0]" : ref(value);
    if (in.type == KType::mask) x = "(unsigned char)" + x;
    if (in.memory == KMem::half) x = std::string(parts_.helper("half_of_f32")) + "(" + x + ")";
    if (in.memory == KMem::byte) x = "(uint8_t)" + x;
    if (in.memory == KMem::word) x = "(uint16_t)" + x;
    line(element(in, behind) + " = " + x + ";");
  }

  std::string binary(const KInstr& in, std::string_view sign) {
    return ref(in.a) + " " + std::string(sign) + " " + ref(in.b);
  }
  std::string arithmetic(const KInstr& in, std::string_view sign, std::string_view name) {
    if (is_float(in.type)) return binary(in, sign);
    return std::string(parts_.helper(std::string(name) + width(in.type))) + "(" + ref(in.a) + ", " + ref(in.b) + ")";
  }
  std::string bitwise(const KInstr& in, std::string_view sign, bool negated = false) {
    return of_bits(in.type,
                   (negated ? "~" : "") + bits(in.type, in.a) + " " + std::string(sign) + " " + bits(in.type, in.b));
  }
  std::string contracted(const KInstr& in, std::string_view minus_a, std::string_view minus_c) {
    return std::string(in.type == KType::f32 ? "fmaf(" : "fma(") + std::string(minus_a) + ref(in.a) + ", " + ref(in.b) +
           ", " + std::string(minus_c) + ref(in.c) + ")";
  }
  std::string library(const KInstr& in, std::string_view name) {
    return std::string(name) + (in.type == KType::f32 ? "f(" : "(") + ref(in.a) + ")";
  }
  std::string variable_shift(const KInstr& in, std::string_view name) {
    return std::string(parts_.helper(std::string(name) + width(in.type))) + "(" + ref(in.a) + ", " + ref(in.b) + ")";
  }

  std::string converted(const KInstr& in) {
    const KType from = k_.instrs[in.a].type;
    if (is_float(from) && !is_float(in.type))
      return std::string(parts_.helper((in.type == KType::i32 ? "i32" : "i64") +
                                       std::string(from == KType::f32 ? "_of_f32" : "_of_f64"))) +
             "(" + ref(in.a) + ")";
    return "(" + std::string(c_type(in.type)) + ")" + ref(in.a);
  }
  std::string recast(const KInstr& in) {
    const KType from = k_.instrs[in.a].type;
    if (is_float(from)) return "(" + std::string(c_type(in.type)) + ")" + bits(from, in.a);
    return of_bits(in.type, "(" + unsigned_type(from) + ")" + ref(in.a));
  }

  std::string expression(const KInstr& in) {
    constexpr std::string_view compares[] = {"==", "!=", "<", "<=", ">", ">="};
    constexpr std::string_view roundings[] = {"nearbyint", "floor", "ceil", "trunc"};
    const std::string type(c_type(in.type)), wide = unsigned_type(in.type);
    switch (in.op) {
      case KOp::iadd:
        return binary(in, "+");
      case KOp::isub:
        return binary(in, "-");
      case KOp::imul:
        return binary(in, "*");
      case KOp::imuli:
        return ref(in.a) + " * " + c_integer(in.imm);
      case KOp::imin:
        return ref(in.a) + " < " + ref(in.b) + " ? " + ref(in.a) + " : " + ref(in.b);
      case KOp::lane_index:  // in a vector loop the lane is a turn of its own
        return k_.lanes == 1 || within_lanes_ ? "0" : "(" + type + ")l";
      case KOp::broadcast:
        return in.type == KType::i32 ? "(int32_t)" + ref(in.a) : ref(in.a);
      case KOp::add:
        return arithmetic(in, "+", "add");
      case KOp::sub:
        return arithmetic(in, "-", "sub");
      case KOp::mul:
        return arithmetic(in, "*", "mul");
      case KOp::div:
        return binary(in, "/");
      case KOp::fma:
        return contracted(in, "", "");
      case KOp::fnma:
        return contracted(in, "-", "");
      case KOp::fms:
        return contracted(in, "", "-");
      case KOp::min:
        return binary(in, "<") + " ? " + ref(in.a) + " : " + ref(in.b);
      case KOp::max:
        return binary(in, ">") + " ? " + ref(in.a) + " : " + ref(in.b);
      case KOp::sqrt:
        return library(in, "sqrt");
      case KOp::neg:
        if (is_float(in.type)) return "-" + ref(in.a);
        return std::string(parts_.helper("sub" + width(in.type))) + "(0, " + ref(in.a) + ")";
      case KOp::abs:
        if (is_float(in.type)) return library(in, "fabs");
        return ref(in.a) + " < 0 ? " + std::string(parts_.helper("sub" + width(in.type))) + "(0, " + ref(in.a) +
               ") : " + ref(in.a);
      case KOp::round:
        return library(in, roundings[in.aux]);
      case KOp::andv:
        return bitwise(in, "&");
      case KOp::orv:
        return bitwise(in, "|");
      case KOp::xorv:
        return bitwise(in, "^");
      case KOp::andnot:
        return bitwise(in, "&", true);
      case KOp::shl:
        return "(" + type + ")((" + wide + ")" + ref(in.a) + " << " + std::to_string(in.imm) + ")";
      case KOp::shr:
        return "(" + type + ")((" + wide + ")" + ref(in.a) + " >> " + std::to_string(in.imm) + ")";
      case KOp::sar:
        return ref(in.a) + " >> " + std::to_string(in.imm);
      case KOp::shlv:
        return variable_shift(in, "shl");
      case KOp::shrv:
        return variable_shift(in, "shr");
      case KOp::sarv:
        return variable_shift(in, "sar");
      case KOp::mulu32:
        return std::string(parts_.helper("mul_low")) + "(" + ref(in.a) + ", " + ref(in.b) + ")";
      case KOp::round_half: {
        const std::string narrow(parts_.helper("half_of_f32"));
        return std::string(parts_.helper("f32_of_half")) + "(" + narrow + "(" + ref(in.a) + "))";
      }
      case KOp::table_index:
        return ref(in.a) + " & 7";
      case KOp::lookup:
        return parts_.row(in.type, in.imm) + "[" + ref(in.a) + "]";
      case KOp::popcnt:
        return std::string(parts_.helper("count_bits")) + "((" + wide + ")" + ref(in.a) + ")";
      case KOp::convert:
        return converted(in);
      case KOp::bitcast:
        return recast(in);
      case KOp::cmp:
        if (compares_itself(k_, in)) return compares[in.aux].ends_with('=') && compares[in.aux] != "!=" ? "1" : "0";
        return binary(in, compares[in.aux]);
      case KOp::is_nan:
        return ref(in.a) + " != " + ref(in.a);
      case KOp::select:
        return ref(in.a) + " ? " + ref(in.b) + " : " + ref(in.c);
      case KOp::mand:
        return binary(in, "&");
      case KOp::mor:
        return binary(in, "|");
      case KOp::mxor:
        return binary(in, "^");
      case KOp::mnot:
        return "!" + ref(in.a);
      case KOp::mask_to_int:
        return ref(in.a);
      case KOp::fixup:
        return ref(in.c) + " ? " + rare(in) + " : " + ref(in.a);
      case KOp::call:
        return routine(static_cast<KFn>(in.aux), in.type) + "(" + ref(in.a) + ")";
      default:
        internal_error("an expression", info(in.op).name);
    }
  }

  // What a call runs.
  std::string routine(KFn fn, KType t) {
    const std::string name = function_name("", fn, t);
    if (!parts_.is_new(name)) return name;
    const CKernel of{name, routine_body(fn, t), 0, {}, {}};
    parts_.add(Translation(of, parts_).run_routine(t));
    return name;
  }
  // What a fixup runs.
  std::string rare(const KInstr& in) {
    const auto fn = static_cast<KFn>(in.aux);
    const std::string name = function_name("rare_", fn, in.type);
    if (parts_.is_new(name)) {
      const Kernel body = rare_kernel(fn, in.type, 1);
      const CKernel of{name, body, 1, {}, {}};
      parts_.add(Translation(of, parts_).run_rare(in.type, in.d != kNone));
    }
    return name + "(" + ref(in.b) + (in.d == kNone ? "" : ", " + ref(in.d)) + ")";
  }
  static std::string function_name(const char* prefix, KFn fn, KType t) {
    return prefix + std::string(cpu::name(fn)) + (t == KType::f32 ? "_f32" : "_f64");
  }
  std::string run_rare(KType t, bool two) {
    find_known();
    find_needed();
    std::string text;
    out_ = &text;
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      const KInstr& in = k_.instrs[i];
      if (in.op == KOp::load)
        define(i, k_.instrs[in.a].imm == 1 ? "x" : "y");
      else if (in.op == KOp::store)
        line("return " + ref(in.d) + ";");
      else if (in.op != KOp::vrange && !(in.op == KOp::endloop && k_.instrs[in.a].op == KOp::vrange))
        statement(i);
    }
    const std::string type(c_type(t)), second = two ? ", " + type + " y" : "";
    return "\nstatic " + type + " " + c_.name + "(" + type + " x" + second + ") {\n" + text + "}\n";
  }
  std::string run_routine(KType t) {
    find_known();
    find_needed();
    std::string text;
    out_ = &text;
    depth_ = 1;
    const std::string type(c_type(t));
    std::string input = "x";
    for (uint32_t i = 0; i < k_.instrs.size(); ++i)
      if (k_.instrs[i].op == KOp::input) input = local(i);
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) statement(i);
    return "\nstatic " + type + " " + c_.name + "(" + type + " " + input + ") {\n" + text + "}\n";
  }

  void statement(uint32_t i) {
    const KInstr& in = k_.instrs[i];
    if (is_silent(i)) return;
    is_laned(i) ? enter_lanes() : leave_lanes();
    within_lanes_ = within_[i];
    if (is_loop(in.op)) return open(i);
    switch (in.op) {
      case KOp::input:
        return;
      case KOp::output:
        return line("return " + ref(in.a) + ";");
      case KOp::endloop:
        --depth_;
        line("}");
        if (k_.lanes == 1 || !is_vector_loop(k_.instrs[in.a].op)) return;
        --depth_;
        return line("}");
      case KOp::reduce:
      case KOp::any:
        return define(i, k_.lanes == 1 ? ref(in.a) : folded(in, i));
      case KOp::load:
      case KOp::load_bcast:
      case KOp::load_strided:
      case KOp::load_one:
      case KOp::load_rows:
      case KOp::gather:
        return define(i, loaded(in, 0));
      case KOp::row:
        return define(i, loaded(k_.instrs[in.a], in.imm));
      case KOp::store:
      case KOp::store_strided:
      case KOp::store_one:
      case KOp::scatter:
        return store(in, in.d, 0);
      case KOp::store_rows:
        for (uint32_t j = 0; j < in.aux; ++j) store(in, k_.lists[in.d + j], j);
        return;
      case KOp::var:
        if (shared(i)) return line(in_frame(i) + " = " + ref(in.a) + ";");
        if (laned_[i]) return define(i, ref(in.a));
        return line(std::string(c_type(in.type)) + " " + local(i) + " = " + ref(in.a) + ";");
      case KOp::set:
        return line(ref(in.a) + " = " + ref(in.b) + ";");
      case KOp::check:
        return line("if (" + ref(in.a) + " && !" + fault() + ") " + fault() + " = " +
                    std::to_string(c_.faults[static_cast<size_t>(in.imm) - 1]) + ";");
      default:
        return define(i, expression(in));
    }
  }
  std::string fault() const { return pieces_ == 0 ? "fault" : now_ == kMain ? "s.fault" : "s->fault"; }

  void open(uint32_t i) {
    const KInstr& in = k_.instrs[i];
    const bool range = in.op == KOp::range || in.op == KOp::vrange;
    const std::string index = local(i), end = range ? c_integer(c_.extent) : ref(in.a);
    const std::string holds = in.op == KOp::wloop ? " && " + ref(in.b) : std::string();
    if (k_.lanes > 1 && is_vector_loop(in.op)) {
      const std::string first = "j_" + std::to_string(i), count = "n_" + std::to_string(i), most = num_lanes();
      line("for (int64_t " + first + " = 0; " + first + " < " + end + "; " + first +
           " += " + std::to_string(k_.step(in)) + ") {");
      ++depth_;
      const std::optional<int64_t> turns = range ? c_.extent : known_[in.a];
      if (in.op == KOp::gloop || (turns && *turns % k_.lanes == 0)) {
        line(lanes_loop(most));
      } else {
        line("const int " + count + " = " + end + " - " + first + " < " + most + " ? (int)(" + end + " - " + first +
             ") : " + most + ";");
        line(lanes_loop(count));
      }
      ++depth_;
      return line("const int64_t " + index + " = " + first + " + l;");
    }
    const int64_t step = k_.step(in);
    const std::string next = step == 1 ? "++" + index : index + " += " + std::to_string(step);
    line("for (int64_t " + index + " = 0; " + index + " < " + end + holds + "; " + next + ") {");
    ++depth_;
    if (shared(i)) line(in_frame(i) + " = " + index + ";");
  }

  // ---- origins

  void tell_origin(uint32_t i) {
    if (!c_.g || k_.origins.empty() || k_.origins[i] == kNone || is_silent(i)) return;
    const Location at = c_.g->location(k_.origins[i]);
    if (at == told_ || !*at.file) return;
    told_ = at;
    line("/* " + c_comment(at.file) + ":" + std::to_string(at.line) + " */");
  }
  // The ops that the kernel computes, in the order in which they come first.
  std::string ops() const {
    std::string text;
    if (!c_.g) return text;
    std::vector<uint8_t> seen(static_cast<size_t>(ir::num_ops()), 0);
    for (size_t i = 0; i < k_.origins.size(); ++i) {
      const uint32_t origin = k_.origins[i];
      if (origin == kNone || k_.instrs[i].type <= KType::scalar) continue;
      const ir::Op op = c_.g->op(origin);
      if (seen[static_cast<size_t>(op)]++) continue;
      text += (text.empty() ? "" : ", ") + std::string(ir::name_of(op));
    }
    return text;
  }

  // ---- functions

  void emit() {
    std::string main, pieces;
    const std::string parameters = declared_parameters();
    std::string passed;
    for (const CFunction::Parameter& p : result_.parameters) passed += ", " + name_of_argument(p.arg);
    depth_ = 1;
    size_t main_depth = 1;
    for (uint32_t i = 0; i < k_.instrs.size(); ++i) {
      if (piece_[i] != now_) {
        if (now_ != kMain) pieces += "}\n";
        if (now_ == kMain) main_depth = depth_;
        now_ = piece_[i];
        depth_ = now_ == kMain ? main_depth : 1;
        told_ = Location();
        if (now_ != kMain) {
          const std::string name = c_.name + "_" + std::to_string(now_);
          pieces += "NOINLINE static void " + name + "(struct " + c_.name + "* s" +
                    (parameters.empty() ? "" : ", " + parameters) + ") {\n  (void)s;\n";
          // What a piece does not need is not missed.
          for (const CFunction::Parameter& p : result_.parameters)
            pieces += "  (void)" + name_of_argument(p.arg) + ";\n";
          main.append(2 * main_depth, ' ');
          main += name + "(&s" + passed + ");\n";
        }
      }
      out_ = now_ == kMain ? &main : &pieces;
      tell_origin(i);
      statement(i);
    }
    leave_lanes();
    if (now_ != kMain) pieces += "}\n";
    std::string& text = result_.text;
    text = "\n/* " + (ops().empty() ? std::string("kernel") : c_comment(ops())) + " */\n";
    if (pieces_ > 0) text = "\n" + frame() + pieces + text;
    text += "static " + std::string(result_.fails ? "int " : "void ") + c_.name + "(" +
            (parameters.empty() ? "void" : parameters) + ") {\n";
    if (pieces_ > 0)
      text += "  struct " + c_.name + " s;\n  s.fault = 0;\n";
    else if (result_.fails)
      text += "  int fault = 0;\n";
    // Those that are read for the number of a fault alone, which C does not tell.
    for (const CFunction::Parameter& p : result_.parameters)
      if (!mentions(main, name_of_argument(p.arg))) text += "  (void)" + name_of_argument(p.arg) + ";\n";
    text += main;
    now_ = kMain;
    if (result_.fails) text += "  return " + fault() + ";\n";
    text += "}\n";
  }
  static bool mentions(std::string_view text, std::string_view name) {
    for (size_t at = 0; (at = text.find(name, at)) != std::string_view::npos; at += name.size())
      if (!std::isalnum(static_cast<unsigned char>(text[at + name.size()]))) return true;
    return false;
  }
  std::string frame() const {
    std::string text = "/* what the parts of " + c_.name + " hand on */\nstruct " + c_.name + " {\n  int fault;\n";
    for (const auto& [type, count] : slots_)
      text += "  " + std::string(type) + " " + member(type) + "[" + std::to_string(count) + "];\n";
    return text + "};\n\n";
  }

  const CKernel& c_;
  const Kernel& k_;
  CParts& parts_;
  CFunction result_;
  std::vector<const CFunction::Parameter*> parameter_of_;
  std::vector<std::optional<int64_t>> known_;   // of scalars
  std::vector<uint32_t> root_;                  // of pointers: the argument that they start from; 0: it is none
  std::vector<uint8_t> needed_;                 // of each instruction
  std::vector<uint32_t> piece_, slot_;          // of each instruction; slots of values that are shared
  std::map<std::string_view, uint32_t> slots_;  // how many, by type
  uint32_t pieces_ = 0, now_ = kMain;
  std::string* out_ = nullptr;
  size_t depth_ = 1;
  Location told_;
  std::vector<uint8_t> within_, laned_;  // of each instruction: in a vector loop; outside, an array
  bool within_lanes_ = false;            // the statement at hand
  size_t lanes_at_ = std::string::npos;  // where the loop over lanes at hand begins
  std::string arrays_;                   // that stand before it
};

}  // namespace

CFunction c_function(const CKernel& kernel, CParts& parts) { return Translation(kernel, parts).run(); }

}  // namespace jot::cpu
