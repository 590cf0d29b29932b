#include "jot/out.h"

#include "core/functions/operands.h"
#include "jot/ops.h"

namespace jot {

using namespace detail;

namespace {

Tensor into(std::string_view op, const Tensor& out, const Tensor& result, Location at) {
  Emitter e(op, at, out, result);
  for (const Trace* t = &e.trace; t; t = t->parent())
    if (t->options().kind == TraceKind::vmap)
      e.fail<TransformError>(
          "vmap: Batching rule not implemented for aten::" + std::string(op.substr(0, op.size() - 4)) +
          ".out; the fallback path doesn't work on out= or view ops; return the result, or copy_ it");
  DType to = out.impl()->dtype();
  check_castable(e, result.impl()->dtype(), to);
  if (shape_of(result) != shape_of(out))
    e.fail<ShapeError>("the output is " + type_name(out) + ", the result has shape " + to_string(shape_of(result)) +
                       ": outputs are not resized; give one of that shape");
  e.write(out, operand(e, result, to));
  return out;
}

Location line(const Arg& a, const Arg& b) { return a.at().line ? a.at() : b.at(); }

}  // namespace

#define JOT_DEFINE(name, ...)                                          \
  Tensor name##_out(const Tensor& out, const Tensor& x, Location at) { \
    return into(#name "_out", out, name(x, at), at);                   \
  }
JOT_UNARY(JOT_DEFINE)
JOT_NOT(JOT_DEFINE)
#undef JOT_DEFINE
#define JOT_DEFINE(name, ...)                                        \
  Tensor name##_out(const Tensor& out, const Arg& a, const Arg& b) { \
    return into(#name "_out", out, name(a, b), line(a, b));          \
  }
JOT_BINARY(JOT_DEFINE)
#undef JOT_DEFINE
#define JOT_DEFINE(name)                                                                \
  Tensor name##_out(const Tensor& out, const Tensor& a, const Tensor& b, Location at) { \
    return into(#name "_out", out, name(a, b, at), at);                                 \
  }
JOT_PRODUCT(JOT_DEFINE)
#undef JOT_DEFINE
#define JOT_DEFINE(name)                                                                               \
  Tensor name##_out(const Tensor& out, const Tensor& x, const Axes& dims, bool keepdim, Location at) { \
    return into(#name "_out", out, name(x, dims, keepdim, at), at);                                    \
  }
JOT_REDUCTION(JOT_DEFINE)
#undef JOT_DEFINE

Tensor clamp_out(const Tensor& out, const Tensor& x, const Bound& low, const Bound& high) {
  return into("clamp_out", out, clamp(x, low, high), low.at());
}
Tensor where_out(const Tensor& out, const Tensor& condition, const Arg& x, const Arg& y) {
  return into("where_out", out, where(condition, x, y), line(x, y));
}
Tensor softmax_out(const Tensor& out, const Tensor& x, int64_t dim, Location at) {
  return into("softmax_out", out, softmax(x, dim, at), at);
}
Tensor cat_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim, Location at) {
  return into("cat_out", out, cat(tensors, dim, at), at);
}
Tensor stack_out(const Tensor& out, const std::vector<Tensor>& tensors, int64_t dim, Location at) {
  return into("stack_out", out, stack(tensors, dim, at), at);
}
Tensor index_select_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at) {
  return into("index_select_out", out, index_select(x, dim, index, at), at);
}
Tensor gather_out(const Tensor& out, const Tensor& x, int64_t dim, const Tensor& index, Location at) {
  return into("gather_out", out, gather(x, dim, index, at), at);
}

}  // namespace jot
