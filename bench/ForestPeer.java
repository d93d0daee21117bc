/* bench/ForestPeer.java — points per CPU-second of AWS's random cut forest, for
 * bench/detectors.py: 40 trees of 256 points of 4 numbers, each scored and then taken in. The first
 * 20,000 points, which a virtual machine compiles on, are left out. */
import com.amazon.randomcutforest.RandomCutForest;
import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.Random;

public final class ForestPeer {
    private static final int POINTS = 20_000;

    private static double feed(RandomCutForest forest, Random random, float[] point) {
        double sum = 0;
        for (int index = 0; index < POINTS; index++) {
            System.arraycopy(point, 1, point, 0, point.length - 1);
            point[point.length - 1] = (float) random.nextGaussian();
            sum += forest.getAnomalyScore(point);
            forest.update(point);
        }
        return sum;
    }

    public static void main(String[] arguments) {
        OperatingSystemMXBean system =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        Random random = new Random(1);
        float[] point = new float[4];
        RandomCutForest forest = RandomCutForest.builder()
            .dimensions(point.length)
            .numberOfTrees(40)
            .sampleSize(256)
            .parallelExecutionEnabled(false)
            .randomSeed(1)
            .build();
        double sum = feed(forest, random, point);
        long begin = system.getProcessCpuTime();
        sum += feed(forest, random, point);
        double seconds = (system.getProcessCpuTime() - begin) / 1e9;
        if (Double.isNaN(sum)) {
            throw new IllegalStateException("a score is no number");
        }
        System.out.println(POINTS / seconds);
    }
}
