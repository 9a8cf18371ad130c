import type { SettingsReport } from '../generated/ipc';
import type { ConfigProblem } from '../generated/model';

/** What is wrong in a file of settings; notes about things as they should be are left out. */
export function mistakes(report: SettingsReport | null): ConfigProblem[] {
  return (report?.details ?? []).filter((problem) => problem.code !== null);
}
