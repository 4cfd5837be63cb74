// The statistics of the plots: means with 95 % intervals by Student's t, cumulative shares of
// buckets and of plain values, and percentiles of buckets.

/** Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom. */
const STUDENT_T = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201,
  2.179, 2.16, 2.145, 2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06,
  2.056, 2.052, 2.048, 2.045, 2.042];

function studentT(freedom) {
  if (freedom < 1) {
    return null;
  }
  if (freedom <= STUDENT_T.length) {
    return STUDENT_T[freedom - 1];
  }
  // The expansion around the normal quantile; exact to three decimals from here on.
  const z = 1.959964;
  return z + (z ** 3 + z) / (4 * freedom)
    + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * freedom ** 2);
}

/** The mean of values with its 95 % interval; no interval with one value. */
function meanInterval(values) {
  const count = values.length;
  if (count === 0) {
    return { mean: null, low: null, high: null };
  }
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count === 1) {
    return { mean, low: null, high: null };
  }
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentT(count - 1) * Math.sqrt(squares / (count - 1) / count);
  return { mean, low: mean - half, high: mean + half };
}

function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** The buckets `{low, high, count}` of one or several distributions, merged and ascending. */
function mergeBuckets(distributions) {
  const merged = new Map();
  for (const { low = [], high = [], count = [] } of distributions) {
    for (let i = 0; i < count.length; i += 1) {
      if (isNumber(low[i]) && isNumber(high[i]) && count[i] > 0) {
        const key = `${low[i]} ${high[i]}`;
        const bucket = merged.get(key) ?? { low: low[i], high: high[i], count: 0 };
        bucket.count += count[i];
        merged.set(key, bucket);
      }
    }
  }
  return [...merged.values()].sort((a, b) => a.high - b.high || a.low - b.low);
}

/** The steps of a cumulative distribution: at the end of each bucket, the share up to there. */
function cumulative(buckets) {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const [x, share] = [[], []];
  if (total === 0) {
    return { x, share, total };
  }
  let sum = 0;
  if (buckets[0].low < buckets[0].high) {
    x.push(buckets[0].low);
    share.push(0);
  }
  for (const bucket of buckets) {
    sum += bucket.count;
    if (x.length > 0 && x[x.length - 1] === bucket.high) {
      share[share.length - 1] = sum / total;
    } else {
      x.push(bucket.high);
      share.push(sum / total);
    }
  }
  return { x, share, total };
}

/** Plain values as buckets of their own, for `cumulative`. */
function bucketsOf(values) {
  const numbers = values.filter(isNumber);
  return mergeBuckets([{ low: numbers, high: numbers, count: numbers.map(() => 1) }]);
}

/** The value below which a share of the buckets' values lies. */
function percentileOf(buckets, share) {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  let sum = 0;
  for (const bucket of buckets) {
    sum += bucket.count;
    if (sum >= share * total) {
      return (bucket.low + bucket.high) / 2;
    }
  }
  return null;
}
