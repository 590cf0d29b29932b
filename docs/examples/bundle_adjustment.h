// Bundle adjustment: where must 49 cameras and 7,776 points be so that 31,843 observations fit best? Its solver needs
// the jacobian of every observation's residual (2 numbers) by the camera (11), the point (3) and the weight (1) it
// depends on.
#pragma once
#include <jot/jot.h>

#include <string>
#include <tuple>

namespace bundle_adjustment {

using jot::Tensor;

struct Problem {
  Tensor cameras;   // f64[n, 11]: rotation (3), centre (3), focal length, principal point (2), radial distortion (2)
  Tensor points;    // f64[m, 3]
  Tensor weights;   // f64[p]
  Tensor features;  // f64[p, 2]: where the point was seen in the image
  Tensor camera_index;  // i64[p]
  Tensor point_index;   // i64[p]
};

// Reads ADBench's format, which repeats one camera, point, weight and feature. With a perturbation each camera and each
// point is moved by its own (seeded) relative amount.
Problem read_problem(const std::string& path, double perturbation = 0);

// The first p observations.
Problem head(const Problem& all, int64_t p);

// X turned about the axis and by the angle of `rotation`: by the quaternion (cos(angle / 2), sin(angle / 2) axis).
//
// No 1 - cos(angle) here, which cancels. cos(angle / 2) and sin(angle / 2) / angle are smooth functions of angle^2, but
// as written their derivatives divide 0 by 0 at 0, and cancel near it: there where() picks series that are good for
// second derivatives too. where() alone does not help: the derivative of the branch not taken is still computed, and
// 0 * NaN is NaN. So the angle is made safe before it is divided by.
inline Tensor rotate(const Tensor& rotation, const Tensor& X) {
  Tensor square = jot::sum(rotation * rotation), small = square < 1e-4;
  Tensor angle = jot::sqrt(jot::where(small, 1.0, square)), half = 0.5 * angle;
  Tensor s = jot::where(small, 0.5 - square * (1.0 / 48) * (1 - square * (1.0 / 80)), jot::sin(half) / angle);
  Tensor c = jot::where(small, 1 - square * (1.0 / 8) * (1 - square * (1.0 / 48)), jot::cos(half));
  Tensor v = s * rotation, twice = 2 * jot::cross(v, X);
  return X + c * twice + jot::cross(v, twice);
}

// Where a camera sees a point, in pixels.
inline Tensor project(const Tensor& camera, const Tensor& X) {
  Tensor rotation = camera.slice(0, 0, 3), centre = camera.slice(0, 3, 6), focal = camera[6];
  Tensor principal = camera.slice(0, 7, 9), k1 = camera[9], k2 = camera[10];
  Tensor seen = rotate(rotation, X - centre);
  Tensor p = seen.slice(0, 0, 2) / seen[2];
  Tensor r2 = jot::sum(p * p);
  return p * (1 + k1 * r2 + k2 * r2 * r2) * focal + principal;
}

inline Tensor residual(const Tensor& camera, const Tensor& X, const Tensor& weight, const Tensor& feature) {
  return weight * (project(camera, X) - feature);
}

// The blocks by camera [p, 2, 11], point [p, 2, 3] and weight [p, 2] of all observations.
inline std::tuple<Tensor, Tensor, Tensor> jacobian(const Tensor& cameras, const Tensor& points, const Tensor& weights,
                                                   const Tensor& features, const Tensor& camera_index,
                                                   const Tensor& point_index) {
  return jot::vmap(jot::jacrev<jot::argnums(0, 1, 2)>(residual))(cameras.index({camera_index}),
                                                                 points.index({point_index}), weights, features);
}

}  // namespace bundle_adjustment
