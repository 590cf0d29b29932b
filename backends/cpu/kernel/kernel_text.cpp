#include <bit>
#include <cmath>
#include <cstdio>

#include "backends/cpu/kernel/kernel_ir.h"

namespace jot::cpu {
namespace {

// The value and, where that is no plain number, the bits.
std::string constant_text(KType type, int64_t bits) {
  char text[64];
  if (type == KType::f64 || type == KType::f32) {
    double x = type == KType::f64 ? std::bit_cast<double>(bits)
                                  : static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    if (std::isnan(x))
      std::snprintf(text, sizeof text, "nan:0x%llx", static_cast<unsigned long long>(bits));
    else
      std::snprintf(text, sizeof text, type == KType::f64 ? "%.17g" : "%.9g", x);
    return text;
  }
  return std::to_string(type == KType::i32 ? static_cast<int32_t>(bits) : bits);
}

std::string_view aux_text(const KInstr& in) {
  constexpr std::string_view compares[] = {"eq", "ne", "lt", "le", "gt", "ge"};
  constexpr std::string_view roundings[] = {"even", "floor", "ceil", "trunc"};
  switch (in.op) {
    case KOp::cmp:
      return compares[in.aux];
    case KOp::reduce:
      return info(static_cast<KOp>(in.aux)).name;
    case KOp::round:
      return roundings[in.aux];
    case KOp::fixup:
    case KOp::call:
      return name(static_cast<KFn>(in.aux));
    case KOp::store:
    case KOp::copy:
      return in.streams ? "stream" : "";
    default:
      return {};
  }
}

std::string operand_text(const Kernel& kernel, const KInstr& in) {
  if (in.op == KOp::endloop) return "%" + std::to_string(in.a);
  std::string text;
  auto value = [&](std::string_view separator, uint32_t v) {
    if (v == kNone) return;
    if (!text.empty()) text += separator;
    text += '%';
    text += std::to_string(v);
  };
  const KKind kind = info(in.op).kind;
  const bool memory =
      kind == KKind::load || in.op == KOp::load_rows || (in.op >= KOp::store && in.op <= KOp::store_one);
  if (!memory) {
    for_each_operand(kernel, in, [&](uint32_t v) { value(", ", v); });
    return text;
  }
  value("", in.a);
  value(" + ", in.b);
  if (in.imm != 0) text += " + " + std::to_string(in.imm) + "b";
  if (in.memory != KMem::own) text += " " + std::string(name(in.memory));
  text = "[" + text + "]";
  if (in.op == KOp::copy)
    text += " = [%" + std::to_string(in.c) + "] x " + std::to_string(in.aux);
  else if (in.c != kNone)
    text += " by %" + std::to_string(in.c);
  if (in.op == KOp::store_rows)
    for (uint32_t i = 0; i < in.aux; ++i) value(i == 0 ? " = " : ", ", kernel.lists[in.d + i]);
  else
    value(" = ", in.d);
  if (in.op == KOp::load_rows) text += " x " + std::to_string(in.aux);
  return text;
}

bool shows_imm(KOp op) {
  switch (op) {
    case KOp::arg:
    case KOp::iconst:
    case KOp::imuli:
    case KOp::shl:
    case KOp::shr:
    case KOp::sar:
    case KOp::mask_const:
    case KOp::row:
    case KOp::lookup:
    case KOp::check:
    case KOp::gloop:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string to_text(const Kernel& kernel) {
  std::string text = "kernel lanes=" + std::to_string(kernel.lanes) + " args=" + std::to_string(kernel.num_args) + "\n";
  size_t depth = 1;
  for (size_t i = 0; i < kernel.instrs.size(); ++i) {
    const KInstr& in = kernel.instrs[i];
    if (in.op == KOp::endloop && depth > 1) --depth;
    text.append(2 * depth, ' ');
    if (is_loop(in.op)) ++depth;
    if (has_value(in.op)) text += "%" + std::to_string(i) + " = ";
    if (in.type != KType::none && in.type != KType::scalar) (text += name(in.type)) += ' ';
    text += info(in.op).name;
    std::string_view aux = aux_text(in);
    if (!aux.empty()) (text += '.') += aux;
    std::string operands = operand_text(kernel, in);
    if (!operands.empty()) (text += ' ') += operands;
    if (in.op == KOp::constant)
      (text += ' ') += constant_text(in.type, in.imm);
    else if (shows_imm(in.op))
      text += (operands.empty() ? " " : ", ") + std::to_string(in.imm);
    text += '\n';
  }
  return text;
}

}  // namespace jot::cpu
