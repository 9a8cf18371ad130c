import type { Code } from '../generated/model';

/** Whom a helpdesk passes it to. */
export type Team = 'nobody' | 'person' | 'network' | 'desktop' | 'management' | 'administrator' | 'vendor';

export const PASS_TO: Record<Code, Team> = {
  'CL-000': 'nobody',
  'CL-001': 'nobody',
  'CL-002': 'nobody',
  'CL-003': 'nobody',
  'CL-004': 'nobody',
  'CL-101': 'person',
  'CL-102': 'person',
  'CL-201': 'network',
  'CL-202': 'network',
  'CL-203': 'network',
  'CL-301': 'network',
  'CL-302': 'network',
  'CL-303': 'network',
  'CL-401': 'network',
  'CL-402': 'nobody',
  'CL-501': 'network',
  'CL-502': 'network',
  'CL-503': 'network',
  'CL-601': 'desktop',
  'CL-602': 'desktop',
  'CL-603': 'desktop',
  'CL-604': 'desktop',
  'CL-605': 'desktop',
  'CL-701': 'network',
  'CL-801': 'management',
  'CL-802': 'management',
  'CL-803': 'management',
  'CL-901': 'desktop',
  'CL-902': 'desktop',
  'CL-903': 'vendor',
  'CL-904': 'administrator',
};
