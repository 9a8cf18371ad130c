// Made from crates/ipc by its test `typescript`; do not edit by hand.
import type { ConfigProblem, SettingEntry } from './model';

/**
 * Every setting, and what is wrong.
 */
export type SettingsReport = { 
/**
 * In the order of the documentation.
 */
settings: Array<SettingEntry>, 
/**
 * What is wrong with configuration and policies, and what in them has no effect; empty when nothing is.
 */
problems: Array<string>, 
/**
 * The same in parts; empty from a service that does not say.
 */
details: Array<ConfigProblem>, };
