// All kernels in kernels.cu, with the types of their parameters as the host passes them: P stands
// for an address on the device.
#pragma once

#include "dropout_shape.h"
#include "layout.h"

// K(name, (types))
#define GAPCAM_KERNELS(K)                                                         \
  K(leaky_relu_f32, (P, P, int64_t, float))                                       \
  K(leaky_relu_bf16, (P, P, int64_t, float))                                      \
  K(leaky_relu_backward_f32, (P, P, P, int64_t, float))                           \
  K(leaky_relu_backward_bf16, (P, P, P, int64_t, float))                          \
  K(activation_f32, (P, P, int64_t, int, int, int, float, float))                 \
  K(activation_bf16, (P, P, int64_t, int, int, int, float, float))                \
  K(activation_backward_f32, (P, P, P, int64_t, int, float, float))               \
  K(activation_backward_bf16, (P, P, P, int64_t, int, float, float))              \
  K(add_f32, (P, P, P, int64_t))                                                  \
  K(add_bf16, (P, P, P, int64_t))                                                 \
  K(add_elements, (P, P, P, int64_t))                                             \
  K(multiply_f32, (P, P, P, int64_t))                                             \
  K(multiply_bf16, (P, P, P, int64_t))                                            \
  K(multiply_elements, (P, P, P, int64_t))                                        \
  K(divide_f32, (P, P, P, int64_t))                                               \
  K(divide_bf16, (P, P, P, int64_t))                                              \
  K(divide_elements, (P, P, P, int64_t))                                          \
  K(multiply_gate_f32, (P, P, P, int64_t, int, int))                              \
  K(multiply_gate_bf16, (P, P, P, int64_t, int, int))                             \
  K(gate_gradient_f32, (P, P, P, int, int, int))                                  \
  K(gate_gradient_bf16, (P, P, P, int, int, int))                                 \
  K(epilogue_f32, (P, P, P, P, int64_t, int, int, int, float, float))             \
  K(epilogue_bf16, (P, P, P, P, int64_t, int, int, int, float, float))            \
  K(gradient_epilogue_f32, (P, P, P, P, int64_t, float))                          \
  K(gradient_epilogue_bf16, (P, P, P, P, int64_t, float))                         \
  K(add_bias, (P, P, int64_t, int))                                               \
  K(direct_forward_f32, (P, P, P, P, P, DirectShape, int, float, float))          \
  K(direct_forward_bf16, (P, P, P, P, P, DirectShape, int, float, float))         \
  K(direct_backward_data_f32, (P, P, P, P, P, DirectShape, float))                \
  K(direct_backward_data_bf16, (P, P, P, P, P, DirectShape, float))               \
  K(direct_backward_filter_f32, (P, P, P, DirectShape))                           \
  K(direct_backward_filter_bf16, (P, P, P, DirectShape))                          \
  K(depthwise_forward_f32, (P, P, P, P, P, DirectShape, int, int, float, float))  \
  K(depthwise_forward_bf16, (P, P, P, P, P, DirectShape, int, int, float, float)) \
  K(depthwise_backward_data_f32, (P, P, P, P, P, DirectShape, int, float))        \
  K(depthwise_backward_data_bf16, (P, P, P, P, P, DirectShape, int, float))       \
  K(depthwise_backward_filter_f32, (P, P, P, DirectShape, int, int))              \
  K(depthwise_backward_filter_bf16, (P, P, P, DirectShape, int, int))             \
  K(depthwise_backward_filter_wide_f32, (P, P, P, DirectShape, int, int))         \
  K(depthwise_backward_filter_wide_bf16, (P, P, P, DirectShape, int, int))        \
  K(finish_depthwise, (P, P, int, int, int))                                      \
  K(write_words, (P, Words, int))                                                 \
  K(adam, (P, P, P))                                                              \
  K(sgd, (P, P, P))                                                               \
  K(blend, (P, P, P))                                                             \
  K(sum_squares, (P, P))                                                          \
  K(finish_norm, (P, P, P, int64_t, float))                                       \
  K(repack, (P))                                                                  \
  K(fold_norm, (P, P, P, P, P, P, P, int, int, float))                            \
  K(place_channels_f32, (P, P, int64_t, int, int, int, int))                      \
  K(place_channels_bf16, (P, P, int64_t, int, int, int, int))                     \
  K(shuffle_channels_f32, (P, P, int64_t, int, int, int))                         \
  K(shuffle_channels_bf16, (P, P, int64_t, int, int, int))                        \
  K(dropout_f32, (P, P, P, int64_t, int, int, int, gapcam::DropoutShape))         \
  K(dropout_bf16, (P, P, P, int64_t, int, int, int, gapcam::DropoutShape))        \
  K(dropout_elements, (P, P, P, int64_t, int64_t, gapcam::DropoutShape))          \
  K(copy_channels_f32, (P, P, int64_t, int, int, int, int, int, int))             \
  K(copy_channels_bf16, (P, P, int64_t, int, int, int, int, int, int))            \
  K(copy_f32_to_f32, (P, P, MapCopy))                                             \
  K(copy_f32_to_bf16, (P, P, MapCopy))                                            \
  K(copy_bf16_to_f32, (P, P, MapCopy))                                            \
  K(max_pool_f32_u8, (P, P, P, PoolShape))                                        \
  K(max_pool_f32_i32, (P, P, P, PoolShape))                                       \
  K(max_pool_bf16_u8, (P, P, P, PoolShape))                                       \
  K(max_pool_bf16_i32, (P, P, P, PoolShape))                                      \
  K(max_pool_backward_f32_u8, (P, P, P, P, PoolShape, float))                     \
  K(max_pool_backward_apart_f32_u8, (P, P, P, P, PoolShape, float))               \
  K(max_pool_backward_f32_i32, (P, P, P, P, PoolShape, float))                    \
  K(max_pool_backward_apart_f32_i32, (P, P, P, P, PoolShape, float))              \
  K(max_pool_backward_bf16_u8, (P, P, P, P, PoolShape, float))                    \
  K(max_pool_backward_apart_bf16_u8, (P, P, P, P, PoolShape, float))              \
  K(max_pool_backward_bf16_i32, (P, P, P, P, PoolShape, float))                   \
  K(max_pool_backward_apart_bf16_i32, (P, P, P, P, PoolShape, float))             \
  K(average_pool2d_f32, (P, P, PoolShape, int))                                   \
  K(average_pool2d_bf16, (P, P, PoolShape, int))                                  \
  K(average_pool2d_backward_f32, (P, P, PoolShape, int))                          \
  K(average_pool2d_backward_bf16, (P, P, PoolShape, int))                         \
  K(average_pool_f32, (P, P, int, int, int, int))                                 \
  K(average_pool_bf16, (P, P, int, int, int, int))                                \
  K(spatial_sum_f32, (P, P, P, int, int, int, int))                               \
  K(spatial_sum_bf16, (P, P, P, int, int, int, int))                              \
  K(resample_f32, (P, P, P, P, int64_t, ResampleShape))                           \
  K(resample_bf16, (P, P, P, P, int64_t, ResampleShape))                          \
  K(average_pool_backward_f32, (P, P, P, int64_t, int, int, int, float))          \
  K(average_pool_backward_bf16, (P, P, P, int64_t, int, int, int, float))         \
  K(sum_channels_f32, (P, P, int64_t, int, int))                                  \
  K(sum_channels_bf16, (P, P, int64_t, int, int))                                 \
  K(finish_sum_channels, (P, P, int, int, int))                                   \
  K(sum_rows_f32, (P, P, int, int))                                               \
  K(sum_moments_f32, (P, P, int64_t, int, int))                                   \
  K(sum_moments_bf16, (P, P, int64_t, int, int))                                  \
  K(norm_statistics, (P, P, P, P, int, int, NormShape))                           \
  K(norm_running, (P, P, P, NormShape))                                           \
  K(norm_f32, (P, P, P, P, P, P, NormShape, int))                                 \
  K(norm_bf16, (P, P, P, P, P, P, NormShape, int))                                \
  K(sum_norm_gradients_f32, (P, P, P, P, P, P, NormShape, int))                   \
  K(sum_norm_gradients_bf16, (P, P, P, P, P, P, NormShape, int))                  \
  K(norm_gradients, (P, P, P, P, P, int, NormShape))                              \
  K(norm_backward_f32, (P, P, P, P, P, P, P, NormShape, int))                     \
  K(norm_backward_bf16, (P, P, P, P, P, P, P, NormShape, int))                    \
  K(copy_pieces, (P, float))                                                      \
  K(sum_ranks, (P, int64_t, int))                                                 \
  K(take_loss_part, (P, P, P))                                                    \
  K(count_whole_batch, (P, P, P, P, int))                                         \
  K(norm_rank_statistics, (P, P, int, int, NormShape))                            \
  K(norm_whole_batch, (P, P, P, P, int, NormShape))                               \
  K(norm_rank_gradients, (P, P, P, P, P, int, NormShape))                         \
  K(norm_whole_gradients, (P, P, P, int, NormShape))                              \
  K(loss_rows, (LossOperands, P, LossShape))                                      \
  K(loss, (P, P, P, P, LossShape))                                                \
  K(loss_backward, (LossOperands, P, P, P, LossShape))                            \
  K(resize_columns, (P, P, int64_t, int, ResizeTable))                            \
  K(prepare_images_f32, (P, P, P, int64_t, int, int, int, ResizeTable))           \
  K(prepare_images_bf16, (P, P, P, int64_t, int, int, int, ResizeTable))
