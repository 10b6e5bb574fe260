"""Whether two series of measurements can be told apart: the test of Kolmogorov and Smirnov, which asks nothing about their
distribution."""
import bisect
import math


def distance(one, other):
    """The most by which the shares of both that are not above any value differ, from 0 to 1."""
    one, other = sorted(one), sorted(other)
    return max(abs(bisect.bisect_right(one, value) / len(one) - bisect.bisect_right(other, value) / len(other))
               for value in one + other)


def critical(one, other, chance=1e-6):
    """The distance that two series of one distribution exceed by CHANCE."""
    return math.sqrt(-math.log(chance / 2) / 2 * (1 / len(one) + 1 / len(other)))
