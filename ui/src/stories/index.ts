import { OTHERS } from './others';
import { STATES } from './states';
import type { Story } from './story';

export const STORIES: Story[] = [...STATES, ...OTHERS];
