import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'node',
    include: ['e2e/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // One browser: two cores shared by several would measure each other.
    fileParallelism: false,
    globalSetup: ['e2e/setup.ts'],
    env: { TZ: 'UTC' },
  },
});
