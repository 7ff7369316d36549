/*
 * gapcam_numbers.h: what the numbers mean that the functions of gapcam.h take,
 * give and keep in tensors.
 */
#ifndef GAPCAM_NUMBERS_H
#define GAPCAM_NUMBERS_H

enum gapcam_status {
  GAPCAM_OK = 0,
  GAPCAM_INVALID_ARGUMENT = 1,
  GAPCAM_INVALID_HANDLE = 2,
  GAPCAM_SHAPE_MISMATCH = 3,
  GAPCAM_UNSUPPORTED = 4,
  GAPCAM_OUT_OF_MEMORY = 5,
  GAPCAM_DEVICE_UNAVAILABLE = 6,
  GAPCAM_DEVICE_FAILED = 7,
  GAPCAM_INTERNAL = 8,
  GAPCAM_RANK_FAILED = 9 /* another rank of the run cannot go on */
};

enum gapcam_precision {
  GAPCAM_PRECISION_F32 = 0,  /* exact f32 */
  GAPCAM_PRECISION_TF32 = 1, /* CUDA: f32 storage, TF32 multiplication */
  GAPCAM_PRECISION_BF16 = 2  /* bf16 maps, f32 master weights, accumulation and loss */
};

enum gapcam_data_type { GAPCAM_F32 = 0, GAPCAM_U8 = 1, GAPCAM_I32 = 2 };

enum gapcam_device_flags {
  GAPCAM_DEVICE_SYNCHRONOUS = 1 /* wait after each step, so that an error names it */
};

enum gapcam_tensor_flags {
  /* Written while programs run: a write goes to a second buffer, and the next
   * run that starts after the write returned takes it. For images and labels. */
  GAPCAM_TENSOR_STAGED = 1
};

enum gapcam_program_flags {
  GAPCAM_PROGRAM_TRAINING = 1, /* batch normalisation uses and updates batch statistics */
  GAPCAM_PROGRAM_PROFILE = 2   /* time each step; see gapcam_program_describe */
};

enum gapcam_communication_flags {
  /* Batch normalisation takes the statistics of the whole batch, of all ranks. */
  GAPCAM_SYNC_BATCH_NORM = 1,
  /* Sums in the order that the library likes, instead of that of ranks. */
  GAPCAM_FAST_SUM = 2
};

/* What follows an operation element by element, with the parameters `a` and `b`. */
enum gapcam_activation {
  GAPCAM_IDENTITY = 0,
  GAPCAM_LEAKY_RELU = 1,   /* max(x, 0) + a * min(x, 0), 0 <= a <= 1; a = 0 is ReLU */
  GAPCAM_CLIP = 2,         /* min(max(x, a), b); 0 and 6 are ReLU6 */
  GAPCAM_SIGMOID = 3,      /* 1 / (1 + exp(-x)) */
  GAPCAM_SILU = 4,         /* x * sigmoid(x) */
  GAPCAM_HARD_SWISH = 5,   /* x * min(max(x + 3, 0), 6) / 6 */
  GAPCAM_HARD_SIGMOID = 6, /* min(max(x + 3, 0), 6) / 6 */
  GAPCAM_GELU = 7          /* x times the standard normal distribution up to x */
};

enum gapcam_binary { GAPCAM_ADD = 0, GAPCAM_MULTIPLY = 1, GAPCAM_DIVIDE = 2 };

enum gapcam_pool { GAPCAM_MAX_POOL = 0, GAPCAM_AVERAGE_POOL = 1 };

/* Slots of the settings that gapcam_program_dropout reads: a program's dropouts may share them. */
enum gapcam_dropout_setting {
  GAPCAM_DROPOUT_SEED = 0,
  GAPCAM_DROPOUT_STEP = 1, /* another one for each step */
  /* The number that the program's first image has in the batch of all ranks. */
  GAPCAM_DROPOUT_FIRST_IMAGE = 2,
  GAPCAM_DROPOUT_SETTINGS = 3
};

enum gapcam_loss { GAPCAM_CROSS_ENTROPY = 0, GAPCAM_BINARY_CROSS_ENTROPY = 1 };

/* Slots of the tensor that gapcam_program_loss counts in. */
enum gapcam_metric {
  GAPCAM_METRIC_LOSS_SUM = 0,
  GAPCAM_METRIC_RUNS = 1,
  /* images whose first maximum is that of their target; of several labels an image, those whose
   * logits are above 0 exactly where the target is above one half */
  GAPCAM_METRIC_CORRECT = 2,
  GAPCAM_METRIC_COUNTED = 3, /* images that count */
  GAPCAM_METRIC_LARGEST_LOSS = 4,
  GAPCAM_METRIC_NOT_FINITE = 5, /* runs whose loss was not finite */
  GAPCAM_METRIC_LAST_LOSS = 6,
  GAPCAM_METRIC_STOPS = 7, /* wishes to stop; see gapcam_program_whole_batch */
  GAPCAM_METRIC_SLOTS = 8
};

/* Slots of the settings of gapcam_program_adam; t is 1 at the first step. */
enum gapcam_adam_setting {
  GAPCAM_ADAM_ONE_MINUS_BETA1 = 0,
  GAPCAM_ADAM_BETA2 = 1,
  GAPCAM_ADAM_ONE_MINUS_BETA2 = 2,
  GAPCAM_ADAM_EPSILON = 3,
  GAPCAM_ADAM_WEIGHT_DECAY = 4, /* added to the gradient; 0 for AdamW */
  GAPCAM_ADAM_SHRINK = 5,       /* factor on the parameter first: 1; AdamW: 1 - rate * decay */
  GAPCAM_ADAM_RATE = 6,         /* learning rate / (1 - beta1^t) */
  GAPCAM_ADAM_DEVIATION = 7,    /* sqrt(1 - beta2^t) */
  GAPCAM_ADAM_SETTINGS = 8
};

/* Slots of the settings of gapcam_program_blend. */
enum gapcam_blend_setting {
  GAPCAM_BLEND_KEEP = 0,
  GAPCAM_BLEND_TAKE = 1,
  GAPCAM_BLEND_SETTINGS = 2
};

/* Slots of the settings of gapcam_program_sgd. */
enum gapcam_sgd_setting {
  GAPCAM_SGD_RATE = 0,
  GAPCAM_SGD_MOMENTUM = 1,
  GAPCAM_SGD_ONE_MINUS_DAMPENING = 2,
  GAPCAM_SGD_WEIGHT_DECAY = 3,
  GAPCAM_SGD_NESTEROV = 4, /* 0 or 1 */
  GAPCAM_SGD_FIRST = 5,    /* 1 at the first step: the buffer becomes the gradient */
  GAPCAM_SGD_SETTINGS = 8
};

enum gapcam_phase { GAPCAM_FORWARD = 1, GAPCAM_BACKWARD = 2, GAPCAM_UPDATE = 4 };

#endif /* GAPCAM_NUMBERS_H */
